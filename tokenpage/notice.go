package tokenpage

import "net/http"

// doneCookie tells the list what has just been done, once. It is a cookie since
// anybody can make up a link, but only the page itself sets this. It has no path: the
// page does not know the one that a browser sees it at, and the browser does.
const doneCookie = "tokenpage-done"

// notices are what the list says about what has been done.
var notices = map[string]string{
	"saved":   "The token is saved.",
	"revoked": "The token is revoked. Its key is refused from now on.",
}

func setDone(w http.ResponseWriter, what string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: doneCookie, Value: what, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// redirectDone sends on to the list, which then says what has been done.
func redirectDone(w http.ResponseWriter, c call, what string) error {
	const seconds = 60 // after which it is no news
	setDone(w, what, seconds)
	return redirect(w, c.List())
}

// takeNotice returns what the list has to say, and sees to it that it does not say
// so again.
func takeNotice(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(doneCookie)
	if err != nil {
		return ""
	}
	setDone(w, "", -1)
	return notices[cookie.Value]
}
