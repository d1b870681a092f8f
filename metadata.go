package authtoken

import (
	"encoding/json"
	"maps"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

const maxMetadataLength = 4096 // bytes of JSON

// metadataOf returns the metadata that text holds. It is nil for none, and for text that
// is not ours.
func metadataOf(text string) map[string]string {
	if text == "" {
		return nil
	}
	return parseMetadata(text)
}

// parseMetadata is apart from metadataOf, which is inlined where keys are checked.
func parseMetadata(text string) map[string]string {
	var m map[string]string
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	return m
}

// setMetadata sets the metadata of r. Nil leaves it. Users may send back what they have
// got.
func (f *faults) setMetadata(r *store.Record, asked map[string]string, by *actor) {
	if asked == nil || f.has("metadata") || maps.Equal(asked, metadataOf(r.Metadata)) {
		return
	}
	if !by.seesAll() {
		f.addCode("metadata", CodeDenied)
		return
	}
	if len(asked) == 0 {
		r.Metadata = ""
		return
	}
	own := make(map[string]string, len(asked)) // json.Marshal would have every CreateParams on the heap
	for k, v := range asked {
		if k == "" {
			f.addCode("metadata", CodeBlank)
			return
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			f.addCode("metadata", CodeNotText)
			return
		}
		own[k] = v
	}
	text, err := json.Marshal(own)
	if err != nil || len(text) > maxMetadataLength {
		f.add(FieldError{Field: "metadata", Code: CodeTooLong, Limit: maxMetadataLength})
		return
	}
	r.Metadata = string(text)
}
