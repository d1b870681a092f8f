package authtoken

import (
	"sync"
	"time"

	"github.com/authtoken/authtoken/store"
)

// cache holds records by the digest of the key they were found by. It is bounded,
// in records and in bytes, by keeping two generations of half its size: when the
// young one is full, it becomes the old one, and what was the old one goes.
//
// It must never give out a record that this process has changed before. A
// change drops its digests when it is done; a record that was read before
// and comes to be put in afterwards is turned away, because the count of
// changes has moved on.
type cache struct {
	mu         sync.RWMutex
	young, old map[store.Digest]cached
	bytes      int // that the records in young take
	half       int // how many records a generation has at most; its bytes are cachedBytes for each
	ttl        time.Duration
	changes    uint64
}

type cached struct {
	record store.Record
	read   time.Time
}

const (
	cachedBytes = 1 << 10 // what a record may take on average
	fixedBytes  = 512     // what it takes without its texts and earlier keys, and its place in a map
	earlierSize = 56      // what an earlier key takes
)

// cachedSize returns about how many bytes r takes in a cache.
func cachedSize(r *store.Record) int {
	return fixedBytes + len(r.Identifier) + len(r.Intent) + len(r.User) + len(r.Description) + len(r.Managed) +
		len(r.Sealed) + len(r.LastUsedFrom) + earlierSize*len(r.Earlier)
}

func newCache(size int, ttl time.Duration) *cache {
	return &cache{
		young: make(map[store.Digest]cached),
		half:  max(1, size/2),
		ttl:   ttl,
	}
}

// get returns the record for digest, if there is one that is young enough.
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

// count returns how many changes there have been, to be handed to put along
// with a record that is read afterwards.
func (c *cache) count() uint64 {
	if c == nil {
		return 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

// put keeps r, which was read at now, unless anything has changed since the
// count was taken. A nil cache keeps nothing.
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

// drop drops what there is for digest.
func (c *cache) drop(digest store.Digest) {
	if e, ok := c.young[digest]; ok {
		c.bytes -= cachedSize(&e.record)
		delete(c.young, digest)
	}
	delete(c.old, digest)
}

// forget drops what the keys of these records would find. It must be called when
// they have been changed, and before anybody is told. A nil cache holds nothing.
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

// forgetAll is forget for when it is not known which records have been changed.
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
