package authtoken

import (
	"sync"
	"time"

	"github.com/authtoken/authtoken/store"
)

// cache holds records by the digest of the key that found them. It limits the number of
// records and the bytes they take. For that it keeps two generations of half its size:
// when the young generation is full, it becomes the old one, and the old one is dropped.
//
// The cache must never return a record that this process has changed since. So a change
// drops its digests as soon as it is written. A record that was read before a change may
// be put into the cache only after it: the cache refuses such a record, because its count
// of changes is out of date.
type cache struct {
	mu         sync.RWMutex
	young, old map[store.Digest]cached
	bytes      int // size of the records in young
	half       int // the most records in a generation; it may take cachedBytes for each
	ttl        time.Duration
	changes    uint64 // how many changes there have been
}

type cached struct {
	record store.Record
	read   time.Time
}

const (
	cachedBytes = 1 << 10 // bytes that a record may take on average
	fixedBytes  = 512     // bytes of a record and its place in a map, without its texts and earlier keys
	earlierSize = 56      // bytes of an earlier key
)

// cachedSize returns about how many bytes r takes in the cache.
func cachedSize(r *store.Record) int {
	return fixedBytes + len(r.Identifier) + len(r.Intent) + len(r.User) + len(r.Description) + len(r.Managed) +
		len(r.Scopes) + len(r.Networks) + len(r.Metadata) +
		len(r.Sealed) + len(r.LastUsedFrom) + earlierSize*len(r.Earlier)
}

func newCache(size int, ttl time.Duration) *cache {
	return &cache{
		young: make(map[store.Digest]cached),
		half:  max(1, size/2),
		ttl:   ttl,
	}
}

// get returns the record for digest, if the cache has one that is not older than its ttl.
func (c *cache) get(digest store.Digest, now time.Time) (store.Record, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.young[digest]
	if !ok {
		e, ok = c.old[digest]
	}
	if age := now.Sub(e.read); !ok || age >= c.ttl || age < 0 {
		return store.Record{}, false
	}
	return e.record, true
}

// count returns how many changes there have been. Call it before reading a record, and
// pass the result to put. A nil cache counts none.
func (c *cache) count() uint64 {
	if c == nil {
		return 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

// put keeps r, which was read at now, unless there were changes since count returned
// changes. A nil cache keeps nothing.
func (c *cache) put(digest store.Digest, r *store.Record, now time.Time, changes uint64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if changes != c.changes {
		return
	}
	c.drop(digest)
	n, most := cachedSize(r), c.half*cachedBytes
	if n > most {
		return
	}
	if len(c.young) >= c.half || c.bytes+n > most {
		c.young, c.old = make(map[store.Digest]cached, c.half), c.young
		c.bytes = 0
	}
	c.young[digest] = cached{*r, now}
	c.bytes += n
}

// drop removes the record for digest, if there is one. It needs the lock.
func (c *cache) drop(digest store.Digest) {
	if e, ok := c.young[digest]; ok {
		c.bytes -= cachedSize(&e.record)
		delete(c.young, digest)
	}
	delete(c.old, digest)
}

// forget drops the records that the keys of these records find. Call it after they were
// changed in the store, and before anybody learns of the change. A nil cache holds
// nothing.
func (c *cache) forget(records ...store.Record) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for i := range records {
		for _, d := range []store.Digest{records[i].Digest, records[i].Retired} {
			c.drop(d)
		}
	}
}

// forgetAll drops every record, when it is not known which of them have changed.
func (c *cache) forgetAll() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	clear(c.young)
	c.bytes = 0
	clear(c.old)
}
