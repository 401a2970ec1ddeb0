package http1_test

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// stdNamed answers with its own name in the header Route.
func stdNamed(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Route", name)
	}
}

// stdRoute is one request and the answer of a mux. Fields left empty are not looked at.
type stdRoute struct {
	method, host, target string
	status               int
	route, location      string
	strict               []int // statuses the strict policy gives instead
}

// stdRoutes sends each request on a connection of its own.
func stdRoutes(t *testing.T, h http.Handler, routes []stdRoute) {
	t.Helper()
	url, _, _ := stdStart(t, &stdServer{Handler: h})
	for _, rt := range routes {
		w := stdDial(t, url)
		w.send(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", rt.method, rt.target, rt.host))
		got := w.next(rt.method)
		what := rt.method + " " + rt.host + " " + rt.target
		stdWantStatus(t, what, got.StatusCode, rt.status, rt.strict)
		if got.StatusCode != rt.status {
			continue
		}
		if g := got.Header.Get("Route"); g != rt.route {
			t.Errorf("%s: went to %q; want %q", what, g, rt.route)
		}
		if g := got.Header.Get("Location"); rt.location != "" && g != rt.location {
			t.Errorf("%s: Location %q; want %q", what, g, rt.location)
		}
	}
}

func TestStdMuxHosts(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for pattern, name := range map[string]string{
		"/": "all", "/tree/": "tree", "/#/": "hash", "named.example/tree/": "named",
	} {
		mux.Handle(pattern, stdNamed(name))
	}
	stdRoutes(t, mux, []stdRoute{
		{method: "GET", host: "localhost", target: "/tree/leaf", status: 200, route: "tree"},
		{method: "GET", host: "localhost", target: "/%23/leaf", status: 200, route: "hash"},
		{method: "GET", host: "localhost", target: "/elsewhere/leaf", status: 200, route: "all"},
		{method: "GET", host: "named.example", target: "/tree/leaf", status: 200, route: "named"},
		{method: "GET", host: "other.example", target: "/tree/leaf", status: 200, route: "tree"},
		{method: "GET", host: "other.example", target: "/leaf", status: 200, route: "all"},
		{method: "GET", host: "localhost", target: "/tree", status: 307, location: "/tree/"},
		{method: "GET", host: "localhost", target: "/%23", status: 307, location: "/%23/"},
		{method: "GET", host: "named.example", target: "/tree", status: 307, location: "/tree/"},
		{method: "GET", host: "ignored.example", target: "http://named.example/tree/leaf", status: 200, route: "named"},
	})
}

func TestStdMuxRoutes(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, p := range []string{"/dir/", "/find", "code.example/find", "code.example/"} {
		mux.Handle(p, stdNamed(p))
	}
	refused := []int{200, 307, 400, 404, 405, 501}
	stdRoutes(t, mux, []stdRoute{
		{method: "GET", host: "a.example", target: "/", status: 404},
		{method: "GET", host: "a.example", target: "/dir", status: 307, location: "/dir/"},
		{method: "GET", host: "a.example", target: "/dir/", status: 200, route: "/dir/"},
		{method: "GET", host: "a.example", target: "/dir/x", status: 200, route: "/dir/"},
		{method: "GET", host: "a.example", target: "/find", status: 200, route: "/find"},
		{method: "GET", host: "a.example", target: "/find/", status: 404},
		{method: "GET", host: "code.example", target: "/find", status: 200, route: "code.example/find"},
		{method: "GET", host: "code.example", target: "/find/x", status: 200, route: "code.example/"},
		{method: "GET", host: "code.example:443", target: "/", status: 200, route: "code.example/"},
		{method: "GET", host: "a.example", target: "/../find", status: 307, location: "/find"},
		{method: "GET", host: "a.example", target: "/dir/..", status: 307, location: "/"},
		{method: "GET", host: "a.example", target: "/dir/./x", status: 307, location: "/dir/x"},
		// A CONNECT target that is a path is no authority: net/http routes it, a strict
		// server refuses it. hazard 42
		{method: "CONNECT", host: "a.example", target: "/dir", status: 307, location: "/dir/", strict: refused},
		{method: "CONNECT", host: "a.example", target: "/../find", status: 404, strict: refused},
		{method: "CONNECT", host: "a.example", target: "/dir/..", status: 200, route: "/dir/", strict: refused},
	})
}

func TestStdMuxSlashRedirect(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, p := range []string{
		"h.example/p/foo/", "h.example/p/bar", "h.example/p/bar/", "h.example:9000/", "/p/baz/",
		"POST /post/", "/one/{x}/", "GET /get/{x}/",
	} {
		mux.Handle(p, stdNamed(p))
	}
	refused := []int{200, 307, 400, 404, 405, 501}
	stdRoutes(t, mux, []stdRoute{
		{method: "GET", host: "h.example", target: "/", status: 404},
		{method: "GET", host: "h.example", target: "/p/foo", status: 307, location: "/p/foo/"},
		{method: "GET", host: "h.example", target: "/p/bar", status: 200, route: "h.example/p/bar"},
		{method: "GET", host: "h.example", target: "/p/bar/", status: 200, route: "h.example/p/bar/"},
		{method: "GET", host: "h.example", target: "/p/baz", status: 307, location: "/p/baz/"},
		{method: "GET", host: "h.example:3000", target: "/p/foo", status: 307, location: "/p/foo/"},
		// hazard 42
		{method: "CONNECT", host: "h.example:9000", target: "/", status: 200, route: "h.example:9000/", strict: refused},
		{method: "POST", host: "h.example", target: "/post", status: 307, location: "/post/"},
		{method: "POST", host: "h.example", target: "/one/foo", status: 307, location: "/one/foo/"},
		{method: "GET", host: "h.example", target: "/one/", status: 404},
		{method: "GET", host: "h.example", target: "/get/", status: 404},
		{method: "GET", host: "h.example:9000", target: "/p/bar", status: 200, route: "h.example/p/bar"},
	})
}

func TestStdMuxQueryKept(t *testing.T) {
	t.Parallel()
	echo := func(tail string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery+tail) }
	}
	mux := http.NewServeMux()
	mux.Handle("/leaf", echo(""))
	mux.Handle("/tree/", echo(""))
	mux.Handle("/both", echo(""))
	mux.Handle("/both/", echo(":tree"))
	mux.Handle("/test/", echo(""))
	url := stdHandle(t, mux.ServeHTTP)
	c := stdClient(t)
	c.CheckRedirect = nil
	for target, want := range map[string]string{
		"/leaf?this=that":           "this=that",
		"/tree?foo=bar":             "foo=bar",
		"/tree?a=1&b=2&a=3":         "a=1&b=2&a=3",
		"/tree?":                    "",
		"/both?foo":                 "foo",
		"/both/?foo":                "foo:tree",
		"/leaf/foo/..?foo":          "foo",
		"/test/?example.com/test/":  "example.com/test/",
		"//test/?example.com/test/": "example.com/test/",
	} {
		if got := stdDo(t, c, stdRequest(t, "GET", url+target, nil)); got.body != want || got.StatusCode != 200 {
			t.Errorf("%s: %d %q; want 200 %q", target, got.StatusCode, got.body, want)
		}
	}
}

func TestStdMuxRedirectPost(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /form/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.FormValue("k"))
	})
	c := stdClient(t)
	c.CheckRedirect = nil
	res, err := c.PostForm(stdHandle(t, mux.ServeHTTP)+"/form", url.Values{"k": {"v"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := stdRead(res); got.StatusCode != 200 || got.body != "v" {
		t.Errorf("a redirected POST: %d %q; want 200 %q", got.StatusCode, got.body, "v")
	}
}

func TestStdMuxCleanPath(t *testing.T) {
	t.Parallel()
	stdRoutes(t, http.NewServeMux(), []stdRoute{
		{method: "GET", host: "x", target: "//foo.txt", status: 307, location: "/foo.txt"},
		{method: "GET", host: "x", target: "///foo.txt", status: 307, location: "/foo.txt"},
		{method: "GET", host: "x", target: "/../../foo.txt", status: 307, location: "/foo.txt"},
		{method: "GET", host: "x", target: "http://example.com", status: 307, location: "/"},
		{method: "GET", host: "x", target: "/foo.txt", status: 404},
		{method: "GET", host: "x", target: "/a//b/./c/../d", status: 307, location: "/a/b/d"},
	})
}

func TestStdMuxPortStripped(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("example.com/", stdNamed("plain"))
	mux.Handle("example.com:9000/", stdNamed("port"))
	stdRoutes(t, mux, []stdRoute{
		{method: "GET", host: "example.com:9000", target: "/", status: 200, route: "plain"},
		{method: "GET", host: "example.com", target: "/", status: 200, route: "plain"},
	})
}

func TestStdMuxRegisterWhileServing(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	url := stdHandle(t, mux.ServeHTTP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			mux.Handle(fmt.Sprintf("/r%d", i), stdNamed("r"))
		}
	}()
	c := stdClient(t)
	for i := range 50 {
		stdDo(t, c, stdRequest(t, "GET", fmt.Sprintf("%s/r%d", url, i), nil))
	}
	stdAwait(t, done, "registering")
	if got := stdDo(t, c, stdRequest(t, "GET", url+"/r49", nil)); got.Header.Get("Route") != "r" {
		t.Error("a pattern registered while serving is not served")
	}
}

func TestStdMuxPathValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, target string
		want            map[string]string
	}{
		{"/{a}/is/{b}/{c...}", "/now/is/the/time/for/all",
			map[string]string{"a": "now", "b": "the", "c": "time/for/all", "d": ""}},
		{"/names/{name}/{rest...}", "/names/%2fjohn/address", map[string]string{"name": "/john", "rest": "address"}},
		{"/names/{name}/{rest...}", "/names/j%2Fd/there/is%2F/more",
			map[string]string{"name": "j/d", "rest": "there/is//more"}},
		{"/names/{name}/{rest...}", "/names/n/*", map[string]string{"name": "n", "rest": "*"}},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc(tt.pattern, func(w http.ResponseWriter, r *http.Request) {
			for k, want := range tt.want {
				if got := r.PathValue(k); got != want {
					t.Errorf("%s: PathValue(%q) = %q; want %q", tt.target, k, got, want)
				}
			}
			if r.Pattern != tt.pattern {
				t.Errorf("%s: Pattern = %q; want %q", tt.target, r.Pattern, tt.pattern)
			}
			r.SetPathValue("a", "set")
			r.SetPathValue("new", "too")
			if r.PathValue("a") != "set" || r.PathValue("new") != "too" {
				t.Errorf("%s: SetPathValue was lost", tt.target)
			}
		})
		if got := stdGet(t, stdHandle(t, mux.ServeHTTP)+tt.target); got.StatusCode != 200 {
			t.Errorf("%s: status %d", tt.target, got.StatusCode)
		}
	}
}

func TestStdMuxMethods(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, p := range []string{"GET /g", "POST /p", "PATCH /p", "PUT /r", "GET /r/"} {
		mux.Handle(p, stdNamed(p))
	}
	url := stdHandle(t, mux.ServeHTTP)
	c := stdClient(t)
	c.CheckRedirect = nil
	for _, tt := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/g", 200, ""},
		{"HEAD", "/g", 200, ""},
		{"POST", "/g", 405, "GET, HEAD"},
		{"GET", "/x", 404, ""},
		{"GET", "/p", 405, "PATCH, POST"},
		{"GET", "/./p", 405, "PATCH, POST"},
		{"GET", "/r", 200, ""},
		{"HEAD", "/r", 200, ""},
		{"PUT", "/r/", 405, "GET, HEAD"},
		{"PUT", "/r", 200, ""},
	} {
		got := stdDo(t, c, stdRequest(t, tt.method, url+tt.target, nil))
		if got.StatusCode != tt.status || got.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", tt.method, tt.target,
				got.StatusCode, got.Header.Get("Allow"), tt.status, tt.allow)
		}
	}
}

func TestStdMuxEscapedPaths(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, p := range []string{"/a%2fb", "/a/b", "/{x}/c%2fd", "/%c3%a9"} {
		mux.Handle(p, stdNamed(p))
	}
	stdRoutes(t, mux, []stdRoute{
		{method: "GET", host: "x", target: "/a%2Fb", status: 200, route: "/a%2fb"},
		{method: "GET", host: "x", target: "/a/b", status: 200, route: "/a/b"},
		{method: "GET", host: "x", target: "/q/c%2Fd", status: 200, route: "/{x}/c%2fd"},
		{method: "GET", host: "x", target: "/q/c/d", status: 404},
		{method: "GET", host: "x", target: "/%C3%A9", status: 200, route: "/%c3%a9"},
	})
}

func TestStdStripPrefix(t *testing.T) {
	t.Parallel()
	var outer *http.Request
	strip := http.StripPrefix("/foo/bar", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL.Path, r.URL.RawPath)
	}))
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		outer = r
		before := r.URL.Path
		strip.ServeHTTP(w, r)
		if outer.URL.Path != before {
			t.Errorf("StripPrefix changed the request it was given to %q", outer.URL.Path)
		}
	})
	for target, want := range map[string]string{
		"/foo/bar/qux": "/qux ", "/foo/bar%2Fqux": "/qux %2Fqux", "/foo%2Fbar/qux": "", "/bar": "",
	} {
		got := stdGet(t, url+target)
		if want == "" {
			stdWantStatus(t, target, got.StatusCode, 404, nil)
		} else if got.body != want {
			t.Errorf("%s: %q; want %q", target, got.body, want)
		}
	}
}

func TestStdRedirect(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.Header.Get("To"), http.StatusFound)
	})
	for to, want := range map[string]string{
		"http://foo.example/baz":  "http://foo.example/baz",
		"https://foo.example/baz": "https://foo.example/baz",
		"test://foo.example/baz":  "test://foo.example/baz",
		"//foo.example/baz":       "//foo.example/baz",
		"/foo.example/baz":        "/foo.example/baz",
		"foo.example/baz":         "/qux/foo.example/baz",
		"../quux/baz":             "/quux/baz",
		"///foo.example/baz":      "/foo.example/baz",
		"/foo?next=http://b.ex/":  "/foo?next=http://b.ex/",
		"/é":                      "/%c3%a9",
		"qux%2Fbaz":               "/qux/qux%2Fbaz",
	} {
		req := stdRequest(t, "GET", url+"/qux/", nil)
		req.Header.Set("To", to)
		got := stdDo(t, stdClient(t), req)
		if g := got.Header.Get("Location"); got.StatusCode != 302 || g != want {
			t.Errorf("redirect to %q: %d %q; want 302 %q", to, got.StatusCode, g, want)
		}
	}
}

func TestStdRedirectBody(t *testing.T) {
	t.Parallel()
	none := []string(nil)
	for _, tt := range []struct {
		method   string
		set      bool
		ct       []string
		wantCT   string
		wantBody string
	}{
		{"GET", false, none, "text/html; charset=utf-8", "<a href=\"/foo\">Found</a>.\n\n"},
		{"HEAD", false, none, "text/html; charset=utf-8", ""},
		{"POST", false, none, "", ""},
		{"DELETE", false, none, "", ""},
		{"foo", false, none, "", ""},
		{"GET", true, []string{"application/test"}, "application/test", ""},
		{"GET", true, []string{}, "", ""},
		{"GET", true, nil, "", ""},
	} {
		url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.set {
				w.Header()["Content-Type"] = tt.ct
			}
			http.Redirect(w, r, "/foo", http.StatusFound)
		})
		got := stdDo(t, stdClient(t), stdRequest(t, tt.method, url, nil))
		if got.body != tt.wantBody || got.Header.Get("Content-Type") != tt.wantCT {
			t.Errorf("%s, Content-Type set %v %q: %q %q; want %q %q", tt.method, tt.set, tt.ct,
				got.Header.Get("Content-Type"), got.body, tt.wantCT, tt.wantBody)
		}
	}
}

func TestStdRedirectOddPath(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "no-leading-slash"
		http.Redirect(w, r, "", http.StatusNotModified)
	})
	if got := stdGet(t, url); got.StatusCode != 304 {
		t.Errorf("status %d; want 304", got.StatusCode)
	}
}

func TestStdQuerySemicolon(t *testing.T) {
	t.Parallel()
	plain := func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		fmt.Fprintf(w, "%s %v", r.FormValue("x"), err != nil)
	}
	for _, tt := range []struct{ query, plain, allowed string }{
		{"?a=1;x=bad&x=good", "good true", "bad false"},
		{"?a=1;b=bad&x=good", "good true", "good false"},
		{"?a=1%3Bx=bad&x=good%3B", "good; false", "good; false"},
		{"?a=1;x=good;x=bad", " true", "good false"},
	} {
		if got := stdGet(t, stdHandle(t, plain)+tt.query).body; got != tt.plain {
			t.Errorf("%s: %q; want %q", tt.query, got, tt.plain)
		}
		h := http.AllowQuerySemicolons(http.HandlerFunc(plain))
		if got := stdGet(t, stdHandle(t, h.ServeHTTP)+tt.query).body; got != tt.allowed {
			t.Errorf("%s allowed: %q; want %q", tt.query, got, tt.allowed)
		}
	}
}

func TestStdCrossOrigin(t *testing.T) {
	t.Parallel()
	p := http.NewCrossOriginProtection()
	if err := p.AddTrustedOrigin("https://trusted.example"); err != nil {
		t.Fatal(err)
	}
	p.AddInsecureBypassPattern("/bypass/")
	url, _, _ := stdStart(t, &stdServer{Handler: p.Handler(stdNamed("ok"))})
	for _, tt := range []struct {
		target, origin, site string
		want                 int
	}{
		{"/", "https://bad.example", "cross-site", 403},
		{"/", "", "same-origin", 200},
		{"/", url, "", 200},
		{"/", "https://trusted.example", "", 200},
		{"/", "https://bad.example", "", 403},
		{"/bypass/", "https://bad.example", "", 200},
	} {
		req := stdRequest(t, "POST", url+tt.target, nil)
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		if tt.site != "" {
			req.Header.Set("Sec-Fetch-Site", tt.site)
		}
		if got := stdDo(t, stdClient(t), req); got.StatusCode != tt.want {
			t.Errorf("%+v: status %d", tt, got.StatusCode)
		}
	}
}

func TestStdReverseProxy(t *testing.T) {
	t.Parallel()
	back := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		n, _ := w.Write([]byte(r.Method + r.URL.Path + r.Host))
		w.Header().Set("Sum", fmt.Sprint(n))
	})
	target, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	rp := httputil.NewSingleHostReverseProxy(target)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	rp.Transport = tr
	front := stdHandle(t, rp.ServeHTTP)
	got := stdDo(t, stdClient(t), stdRequest(t, "PUT", front+"/p", strings.NewReader("body")))
	if want := "PUT/p" + strings.TrimPrefix(front, "http://"); got.body != want {
		t.Errorf("through a proxy: %q; want %q", got.body, want)
	}
	if got.Trailer.Get("Sum") == "" {
		t.Error("the trailer did not pass the proxy")
	}
}
