package tokenpage

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// place is a place on the page: the list, or something to do with a token. It also has the
// list to go back to. Every link is a place, as the query of a URL.
type place struct {
	Do, Token string
	Search    string
	ByName    bool // the list is sorted by name, not newest first
	Page      int
}

func placeOf(q url.Values) place {
	page, _ := strconv.Atoi(q.Get("page"))
	return place{
		Do:     q.Get("do"),
		Token:  q.Get("token"),
		Search: q.Get("search"),
		ByName: q.Get("sort") == "name",
		Page:   max(page, 1),
	}
}

// String returns p as the query of a URL.
func (p place) String() string {
	sort, page := "", ""
	if p.ByName {
		sort = "name"
	}
	if p.Page > 1 {
		page = strconv.Itoa(p.Page)
	}
	q := url.Values{"do": {p.Do}, "token": {p.Token}, "search": {p.Search}, "sort": {sort}, "page": {page}}
	maps.DeleteFunc(q, func(_ string, values []string) bool { return values[0] == "" })
	return "?" + q.Encode()
}

// To returns the place to do something with a token.
func (p place) To(do, token string) place {
	p.Do, p.Token = do, token
	return p
}

// List returns the list to go back to.
func (p place) List() place { return p.To("", "") }

// At returns another page of the list.
func (p place) At(page int) place {
	p = p.List()
	p.Page = page
	return p
}

// Sorted returns the first page of the list in another order.
func (p place) Sorted(byName bool) place {
	p = p.At(1)
	p.ByName = byName
	return p
}

// redirect redirects to a place. http.Redirect would add the path of the request, from which
// a prefix may have been stripped.
func redirect(w http.ResponseWriter, to place) error {
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
