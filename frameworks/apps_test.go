package frameworks

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
)

// The applications are the same three times:
//
//	GET  /hello/NAME  text, with middleware that sets X-App
//	POST /json        binds {"a":1,"b":2} and answers {"sum":3}
//	GET  /events      three server-sent events, 20 ms apart, each flushed
//	POST /echo        streams the body back
//	GET  /panic       the framework's recovery answers 500
//	GET  /slow        answers after 100 ms
//	GET  /static/     files of dir

type sums struct {
	A int `json:"a"`
	B int `json:"b"`
}

func events(w io.Writer, flush func()) error {
	for i := range 3 {
		if i > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			return err
		}
		flush()
	}
	return nil
}

func ginApp(dir string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.RecoveryWithWriter(io.Discard), func(c *gin.Context) { c.Header("X-App", "gin"); c.Next() })
	r.GET("/hello/:name", func(c *gin.Context) { c.String(200, "hello %s", c.Param("name")) })
	r.POST("/json", func(c *gin.Context) {
		var in sums
		if err := c.ShouldBindJSON(&in); err != nil {
			c.AbortWithStatus(400)
			return
		}
		c.JSON(200, gin.H{"sum": in.A + in.B})
	})
	r.GET("/events", func(c *gin.Context) {
		c.Header("Content-Type", "text/event-stream")
		_ = events(c.Writer, c.Writer.Flush)
	})
	r.POST("/echo", func(c *gin.Context) { _, _ = io.Copy(c.Writer, c.Request.Body) })
	r.GET("/panic", func(*gin.Context) { panic("on purpose") })
	r.GET("/slow", func(c *gin.Context) { time.Sleep(100 * time.Millisecond); c.String(200, "slow") })
	r.Static("/static", dir)
	return r
}

func chiApp(dir string) http.Handler {
	chimiddleware.DefaultLogger = func(next http.Handler) http.Handler { return next }
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestID, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(500)
				}
			}()
			w.Header().Set("X-App", "chi")
			next.ServeHTTP(chimiddleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
		})
	})
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "hello %s", chi.URLParam(r, "name"))
	})
	r.Post("/json", sumJSON)
	r.Get("/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = events(w, w.(http.Flusher).Flush)
	})
	r.With(chimiddleware.Compress(5)).Post("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	r.Get("/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(w, "slow")
	})
	r.Handle("/static/*", http.StripPrefix("/static", http.FileServer(http.Dir(dir))))
	return r
}

func echoApp(dir string) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(echomiddleware.Recover(), echomiddleware.BodyLimit("64M"), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header().Set("X-App", "echo")
			return next(c)
		}
	})
	e.GET("/hello/:name", func(c echo.Context) error { return c.String(200, "hello "+c.Param("name")) })
	e.POST("/json", func(c echo.Context) error {
		var in sums
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.JSON(200, map[string]int{"sum": in.A + in.B})
	})
	e.GET("/events", func(c echo.Context) error {
		c.Response().Header().Set("Content-Type", "text/event-stream")
		c.Response().WriteHeader(200)
		return events(c.Response(), c.Response().Flush)
	})
	e.POST("/echo", func(c echo.Context) error {
		_, err := io.Copy(c.Response(), c.Request().Body)
		return err
	})
	e.GET("/panic", func(echo.Context) error { panic("on purpose") })
	e.GET("/slow", func(c echo.Context) error { time.Sleep(100 * time.Millisecond); return c.String(200, "slow") })
	e.Static("/static", dir)
	return e
}

func apps(t *testing.T, dir string) map[string]http.Handler {
	t.Helper()
	if !filepath.IsAbs(dir) {
		t.Fatalf("%q is not absolute", dir)
	}
	return map[string]http.Handler{"gin": ginApp(dir), "chi": chiApp(dir), "echo": echoApp(dir)}
}
