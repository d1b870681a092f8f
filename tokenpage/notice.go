package tokenpage

import "net/http"

// doneCookie tells the list what the user has just done. It is a cookie because anybody can
// make a link, but only the page can set the cookie. It has no path: the browser sets that,
// and the page does not know its own.
const doneCookie = "tokenpage-done"

// notices are the messages of the list about what the user has done, by the action.
var notices = map[string]string{
	"edit":    "The token is saved.",
	"suspend": "The token is suspended. Its key is refused until you resume it.",
	"resume":  "The token is resumed. Its key works again.",
	"stop":    "The old key is stopped.",
	"revoke":  "The token is revoked. Its key is refused from now on.",
}

func setDone(w http.ResponseWriter, what string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: doneCookie, Value: what, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// redirectDone redirects to the list, which then says what the user has done.
func redirectDone(w http.ResponseWriter, c call) error {
	const seconds = 60 // a later message would confuse
	setDone(w, c.Do, seconds)
	return redirect(w, c.List())
}

// takeNotice returns the message for the list, and deletes the cookie.
func takeNotice(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(doneCookie)
	if err != nil {
		return ""
	}
	setDone(w, "", -1)
	return notices[cookie.Value]
}
