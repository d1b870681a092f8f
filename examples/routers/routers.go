// Package routers mounts the token API and guards a route, in the routers that
// applications use most. The API and the guard are plain net/http. Copy the function
// for your router.
package routers

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/authtoken/authtoken"
)

// A Guard is what [httpadapter.RequireToken] returns.
type Guard func(http.Handler) http.Handler

// reports is a route of the application, for anybody with a good key.
func reports(w http.ResponseWriter, r *http.Request) {
	who, _ := authtoken.PrincipalFrom(r.Context())
	fmt.Fprintln(w, "reports of user", who.User.ID)
}

// NetHTTP uses the router of the standard library.
func NetHTTP(api http.Handler, guard Guard) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", api)
	mux.Handle("GET /reports", guard(http.HandlerFunc(reports)))
	return mux
}

// Chi uses github.com/go-chi/chi. Handle does not change the path, as the API expects.
// Mount does not either.
func Chi(api http.Handler, guard Guard) http.Handler {
	r := chi.NewRouter()
	r.Handle("/api/v3/*", api)
	r.With(guard).Get("/reports", reports)
	return r
}

// Gin uses github.com/gin-gonic/gin. Its handlers are not those of net/http. So the guard
// gets a handler that notes whether the guard has called it.
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
