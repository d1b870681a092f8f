package httpadapter

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c call) error {
	query := parseQuery(r.URL.RawQuery)
	number, size := pageParams(query)
	f := filter(query)
	page, err := c.access.Page(r.Context(), f, number, size)
	if err == nil && last(query, "page") == "last" && page.Pages > 1 {
		page, err = c.access.Page(r.Context(), f, page.Pages, size)
	}
	if err != nil {
		return err
	}
	profile, err := h.profiles(r.Context(), c.access, page.Tokens)
	if err != nil {
		return err
	}
	// Owners are written first, because nothing may fail after a piece of the list is
	// sent.
	owners := make(map[string][]byte)
	room := newAnswer()
	defer room.free()
	for _, t := range page.Tokens {
		if owners[t.User] != nil {
			continue
		}
		p, start := profile(t.User), len(room.b)
		if room.b, err = h.appendOwner(r.Context(), room.b, &p); err != nil {
			return err
		}
		owners[t.User] = room.b[start:]
	}
	a := newAnswer()
	a.b = appendPagination(a.b, &page)
	a.b = appendList(a.b, `,"autocomplete":{},"results":`, page.Tokens, func(b []byte, t *authtoken.Token) []byte {
		b = append(appendBeforeOwner(b, t), owners[t.User]...)
		b = h.appendAfterOwner(b, t, authtoken.Key{})
		return a.sendLong(r.Context(), w, b)
	})
	a.b = append(a.b, '}')
	a.send(w, http.StatusOK)
	return nil
}

// parseQuery accepts every query, as authentik does. A semicolon stands for itself, and
// so does a percent sign without two hexadecimal digits after it.
func parseQuery(raw string) url.Values {
	var b strings.Builder
	b.Grow(len(raw))
	for i := range len(raw) {
		switch {
		case raw[i] == ';':
			b.WriteString("%3B")
		case raw[i] == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])):
			b.WriteString("%25")
		default:
			b.WriteByte(raw[i])
		}
	}
	query, _ := url.ParseQuery(b.String())
	for _, values := range query {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	return query
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// last returns the last value that a query has for name, as authentik does, or "".
func last(query url.Values, name string) string {
	values := query[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// filter returns the filter in a query. An empty parameter filters nothing.
func filter(query url.Values) authtoken.Filter {
	f := authtoken.Filter{
		Identifier:  trim(last(query, "identifier")),
		Intent:      authtoken.Intent(last(query, "intent")),
		Username:    trim(last(query, "user__username")),
		Description: trim(last(query, "description")),
		Managed:     trim(last(query, "managed")),
		Words:       searchWords(last(query, "search")),
		Order:       parseOrder(last(query, "ordering")),
	}
	fault := func(field string, code authtoken.Code, value string) {
		f.Invalid = append(f.Invalid, authtoken.FieldError{Field: field, Code: code, Value: value})
	}
	if f.Intent != "" && !f.Intent.Valid() {
		fault("intent", codeFilter, string(f.Intent))
		f.Intent = ""
	}
	if v := trim(last(query, "expires")); v != "" {
		var ok bool
		if f.Expires, ok = parseDateTime(v); !ok {
			fault("expires", codeFilter, "")
		}
	}
	boolean := func(name string) *bool {
		switch strings.ToLower(last(query, name)) {
		case "":
		case "true", "1":
			return new(true)
		case "false", "0":
			return new(false)
		default:
			fault(name, codeBoolean, "")
		}
		return nil
	}
	f.Expiring = boolean("expiring")
	f.Suspended = boolean("suspended")
	f.Scope = trim(last(query, "scope"))
	if v := trim(last(query, "via")); v != "" {
		var err error
		if f.Via, err = uuid.Parse(v); err != nil || f.Via == uuid.Nil {
			fault("via", authtoken.CodeInvalid, v)
		}
	}
	return f
}

// parseOrder reads an order such as "intent,-expires". A hyphen means descending. It
// ignores a term that is not a field to sort by, and a field that it has already read.
func parseOrder(s string) []authtoken.Order {
	var order []authtoken.Order
	for term := range strings.SplitSeq(s, ",") {
		name, desc := strings.CutPrefix(trim(term), "-")
		f := authtoken.Field(name)
		again := slices.ContainsFunc(order, func(o authtoken.Order) bool { return o.Field == f })
		if !again && slices.Contains(authtoken.OrderFields(), f) {
			order = append(order, authtoken.Order{Field: f, Desc: desc})
		}
	}
	return order
}

// searchTerm matches a term of a search. White space ends a term, unless it is in quotes.
// Python has more white space than \s.
var searchTerm = func() *regexp.Regexp {
	const space = `\s\v\x1c-\x1f\x{85}\p{Z}`
	return regexp.MustCompile(`[^` + space + `'"]*(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^` + space + `'"]*)+|[^` + space + `]+`)
}()

// searchWords splits a search into words at white space and commas, but not within
// quotes. So does search_smart_split of Django REST framework.
func searchWords(search string) []string {
	var words []string
	search = strings.ReplaceAll(search, "\x00", "")
	for _, term := range searchTerm.FindAllString(search, -1) {
		term = strings.Trim(term, ",")
		if phrase, ok := unquotePhrase(term); ok {
			words = append(words, phrase)
			continue
		}
		for word := range strings.SplitSeq(term, ",") {
			words = append(words, trim(word))
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// unquotePhrase returns term without the quotes around it. It reports false if there are
// none.
func unquotePhrase(term string) (string, bool) {
	if term == "" || term[0] != '"' && term[0] != '\'' || term[len(term)-1] != term[0] {
		return "", false
	}
	quote := term[:1]
	if term == quote {
		return "", true
	}
	phrase := strings.ReplaceAll(term[1:len(term)-1], `\`+quote, quote)
	return strings.ReplaceAll(phrase, `\\`, `\`), true
}

// pageParams returns the number and the size of the page in a query. For the last page,
// whose number is not known yet, the number is 1. If the number can't be read, no page has
// the one that pageParams returns. If the size can't be read, it is the default.
func pageParams(query url.Values) (number, size int) {
	number, size = 1, defaultPageSize
	if v := last(query, "page"); v != "" && v != "last" {
		number, _ = strconv.Atoi(trim(v)) // 0, or the largest number, if v can't be read
	}
	if v, err := strconv.Atoi(trim(last(query, "page_size"))); err == nil && v > 0 {
		size = min(v, maxPageSize)
	}
	return number, size
}

// appendPagination appends the position of a page in the list.
func appendPagination(b []byte, p *authtoken.Page) []byte {
	next, start := p.Number+1, (p.Number-1)*p.Size+1
	if next > p.Pages {
		next = 0
	}
	if p.Count == 0 {
		start = 0
	}
	b = appendInt(b, `{"pagination":{"next":`, int64(next))
	b = appendInt(b, `,"previous":`, int64(p.Number-1))
	b = appendInt(b, `,"count":`, int64(p.Count))
	b = appendInt(b, `,"current":`, int64(p.Number))
	b = appendInt(b, `,"total_pages":`, int64(p.Pages))
	b = appendInt(b, `,"start_index":`, int64(start))
	b = appendInt(b, `,"end_index":`, int64(min(p.Number*p.Size, p.Count)))
	return append(b, '}')
}
