// Package routers mounts the token API, and guards a route with tokens, in each of
// the routers that applications use most. Both are made of plain net/http, so
// that there is little to do: copy the function of your router.
package routers

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/authtoken/authtoken/httpadapter"
)

// A Guard is what [httpadapter.RequireToken] returns.
type Guard func(http.Handler) http.Handler

// reports is a route of the application's own, which anybody with a token may see.
func reports(w http.ResponseWriter, r *http.Request) {
	who, _ := httpadapter.Principal(r.Context())
	fmt.Fprintln(w, "reports of user", who.User.ID)
}

// NetHTTP uses the router of the standard library.
func NetHTTP(api http.Handler, guard Guard) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", api)
	mux.Handle("GET /reports", guard(http.HandlerFunc(reports)))
	return mux
}

// Chi uses github.com/go-chi/chi. Handle leaves the path alone, which is what the
// API expects; behind Mount it would be the same.
func Chi(api http.Handler, guard Guard) http.Handler {
	r := chi.NewRouter()
	r.Handle("/api/v3/*", api)
	r.With(guard).Get("/reports", reports)
	return r
}

// Gin uses github.com/gin-gonic/gin. Its handlers are not those of net/http, so a
// guard, which calls the next handler if all is well, is asked whether it did.
func Gin(api http.Handler, guard Guard) http.Handler {
	r := gin.New()
	r.Any("/api/v3/*path", gin.WrapH(api))
	r.GET("/reports", func(c *gin.Context) {
		passed := false
		guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // which has the token in its context
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort() // the guard has answered
		}
	}, gin.WrapF(reports))
	return r
}

// Echo uses github.com/labstack/echo.
func Echo(api http.Handler, guard Guard) http.Handler {
	e := echo.New()
	e.Any("/api/v3/*", echo.WrapHandler(api))
	e.GET("/reports", echo.WrapHandler(http.HandlerFunc(reports)), echo.WrapMiddleware(guard))
	return e
}
