package http1_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const stdFileText = "0123456789\n"

// stdDir is a directory with some files in it.
func stdDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"file": stdFileText, "style.css": "body {}\n", "sub/index.html": "index.html says hello\n", "foo.txt": "Hello world",
	} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func stdServeFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
}

func TestStdFileMethods(t *testing.T) {
	t.Parallel()
	dir := stdDir(t)
	for name, h := range map[string]http.Handler{
		"ServeFile":  stdServeFile(filepath.Join(dir, "file")),
		"FileServer": http.FileServer(http.Dir(dir)),
	} {
		url := stdHandle(t, h.ServeHTTP)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			got := stdDo(t, stdClient(t), stdRequest(t, method, url+"/file", nil))
			want := stdFileText
			if method == "HEAD" {
				want = ""
			}
			if got.body != want || got.ContentLength != int64(len(stdFileText)) {
				t.Errorf("%s %s: %q, length %d", name, method, got.body, got.ContentLength)
			}
		}
	}
}

func TestStdFileRanges(t *testing.T) {
	t.Parallel()
	type span [2]int
	const n = len(stdFileText)
	url := stdHandle(t, stdServeFile(filepath.Join(stdDir(t), "file")))
	for _, tt := range []struct {
		rng    string
		status int
		spans  []span
	}{
		{"bytes=0-4", 206, []span{{0, 5}}},
		{"bytes=2-", 206, []span{{2, n}}},
		{"bytes=-5", 206, []span{{n - 5, n}}},
		{"bytes=3-7", 206, []span{{3, 8}}},
		{"bytes=0-0,-2", 206, []span{{0, 1}, {n - 2, n}}},
		{"bytes=0-1,5-8", 206, []span{{0, 2}, {5, 9}}},
		{"bytes=0-1,5-", 206, []span{{0, 2}, {5, n}}},
		{"bytes=5-1000", 206, []span{{5, n}}},
		{"bytes=0-,1-,2-,3-,4-", 200, nil}, // more than the file: ignored. hazard 80
		{"bytes=0-10", 206, []span{{0, n}}},
		{"bytes=0-11", 206, []span{{0, n}}},
		{"bytes=10-11", 206, []span{{n - 1, n}}},
		{"bytes=11-", 416, nil},
		{"bytes=11-12", 416, nil},
		{"bytes=100-1000", 416, nil},
		{"bytes=--6", 416, nil},
		{"bytes=---0", 416, nil},
		{"bytes=-6-", 416, nil},
		{"bytes=", 200, nil},
	} {
		req := stdRequest(t, "GET", url, nil)
		req.Header.Set("Range", tt.rng)
		got := stdDo(t, stdClient(t), req)
		if got.StatusCode != tt.status {
			t.Errorf("%s: status %d; want %d", tt.rng, got.StatusCode, tt.status)
			continue
		}
		var parts []string
		if len(tt.spans) > 1 {
			parts = stdParts(t, got)
		} else if len(tt.spans) == 1 {
			parts = []string{got.Header.Get("Content-Range") + " " + got.body}
		}
		var want []string
		for _, s := range tt.spans {
			want = append(want, fmt.Sprintf("bytes %d-%d/%d %s", s[0], s[1]-1, n, stdFileText[s[0]:s[1]]))
		}
		if fmt.Sprintf("%q", parts) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %q; want %q", tt.rng, parts, want)
		}
	}
}

// stdParts reads the parts of a multipart/byteranges response.
func stdParts(t *testing.T, r stdReply) (parts []string) {
	t.Helper()
	typ, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/byteranges" || r.ContentLength != int64(len(r.body)) {
		t.Errorf("Content-Type %q, length %d of %d, %v", typ, r.ContentLength, len(r.body), err)
		return nil
	}
	mr := multipart.NewReader(strings.NewReader(r.body), params["boundary"])
	for {
		p, err := mr.NextPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Error(err)
			return parts
		}
		b, _ := io.ReadAll(p)
		parts = append(parts, p.Header.Get("Content-Range")+" "+string(b))
	}
}

func TestStdFilePaths(t *testing.T) {
	t.Parallel()
	dir := stdDir(t)
	files := http.FileServer(http.Dir(dir))
	one := stdServeFile(filepath.Join(dir, "file"))
	for _, tt := range []struct {
		h              http.Handler
		target         string
		status         int
		body, location string
	}{
		{one, "/x/file", 200, stdFileText, ""},
		{one, "/../file", 400, "", ""},
		{one, "/..", 400, "", ""},
		{one, "/../foo", 400, "", ""},
		{one, "/file/a..", 200, stdFileText, ""},
		{one, "/file/a/..", 400, "", ""},
		{files, "/../file", 200, stdFileText, ""},
		{files, "/..%2ffile", 200, stdFileText, ""},
		{files, "/../../../../etc/hosts", 404, "", ""},
		{files, "//foo.txt", 200, "Hello world", ""},
		{files, "/file%00", 404, "", ""}, // hazard 44
		{files, "/%00", 404, "", ""},
		{files, "/file/x/%00", 404, "", ""},
		{files, "/sub/index.html", 301, "", "./"},
		{files, "/sub", 301, "", "sub/"},
		{files, "/sub/", 200, "index.html says hello\n", ""},
		{files, "/file/", 301, "", "../file"},
		{files, "/file/below", 404, "", ""},
		{files, "/missing", 404, "", ""},
		{http.StripPrefix("/bar/", files), "/bar/foo.txt", 200, "Hello world", ""},
		{http.StripPrefix("/test", files), "/test/sub/", 200, "index.html says hello\n", ""},
		{http.FileServer(http.FS(os.DirFS(dir))), "/sub/", 200, "index.html says hello\n", ""},
		{http.FileServer(http.FS(os.DirFS(dir))), "/file/below", 404, "", ""},
		{http.FileServerFS(os.DirFS(dir)), "/foo.txt", 200, "Hello world", ""},
		{http.FileServer(http.Dir(filepath.Join(dir, "file"))), "/", 500, "", ""},
		{http.FileServerFS(os.DirFS(filepath.Join(dir, "file"))), "/", 500, "", ""},
		{stdServeFile(dir), "/dir", 301, "", "dir/"},
	} {
		w := stdDial(t, stdHandle(t, tt.h.ServeHTTP))
		w.send("GET " + tt.target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		got := w.next("GET")
		if got.StatusCode != tt.status || tt.body != "" && got.body != tt.body || got.Header.Get("Location") != tt.location {
			t.Errorf("%s: %d %q, Location %q; want %d %q %q", tt.target, got.StatusCode, got.body,
				got.Header.Get("Location"), tt.status, tt.body, tt.location)
		}
	}
}

func TestStdFileEmptyPath(t *testing.T) {
	t.Parallel()
	dir := stdDir(t)
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = ""
		http.ServeFile(w, r, dir)
	}))
	if got.StatusCode != 301 {
		t.Errorf("status %d; want 301", got.StatusCode)
	}
}

func TestStdFileTypes(t *testing.T) {
	t.Parallel()
	dir := stdDir(t)
	for _, tt := range []struct {
		file string
		set  []string
		want string
	}{
		{"file", nil, `["text/plain; charset=utf-8"]`},
		{"file", []string{"icecream/chocolate"}, `["icecream/chocolate"]`},
		{"file", []string{}, "absent"},
		{"style.css", nil, `["text/css; charset=utf-8"]`},
	} {
		got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.set != nil {
				w.Header()["Content-Type"] = tt.set
			}
			http.ServeFile(w, r, filepath.Join(dir, tt.file))
		}))
		if s := stdSeen(got.Header, "Content-Type"); s != tt.want {
			t.Errorf("%s with %q: %s; want %s", tt.file, tt.set, s, tt.want)
		}
	}
}

func TestStdFileEncoded(t *testing.T) {
	t.Parallel()
	name := filepath.Join(stdDir(t), "file")
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "foo")
		w.Header().Set("Etag", `"123"`)
		http.ServeFile(w, r, name)
		stdFlush(w)
	})
	if got := stdGet(t, url); got.ContentLength != -1 || got.body != stdFileText {
		t.Errorf("encoded: length %d, %q; want none, for the length of the file is not it", got.ContentLength, got.body)
	}
	req := stdRequest(t, "GET", url, nil)
	req.Header.Set("If-None-Match", `"123"`)
	got := stdDo(t, stdClient(t), req)
	if got.StatusCode != 304 || got.body != "" || got.Header.Get("Content-Type")+got.Header.Get("Content-Encoding") != "" {
		t.Errorf("not modified: %d %q %v", got.StatusCode, got.body, got.Header)
	}
}

func TestStdFileZipped(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"zip.txt": {Data: []byte("sent through a compressing writer")}}
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		gz := gzip.NewWriter(w)
		defer gz.Close()
		http.ServeFileFS(stdZipping{w, gz}, r, fsys, "zip.txt")
	})+"/zip.txt")
	if got.body != "sent through a compressing writer" {
		t.Errorf("%q", got.body)
	}
}

type stdZipping struct {
	http.ResponseWriter
	gz *gzip.Writer
}

func (w stdZipping) Write(p []byte) (int, error) { return w.gz.Write(p) }

func TestStdFileFS(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"foo.txt": {Data: []byte("from a file system")}}
	for _, h := range []http.Handler{http.FileServerFS(fsys), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, fsys, "foo.txt")
	})} {
		if got := stdGet(t, stdHandle(t, h.ServeHTTP)+"/foo.txt"); got.body != "from a file system" {
			t.Errorf("%q", got.body)
		}
	}
}

func TestStdFileListing(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{}
	for _, name := range []string{"b", "a", `"'<>&`, "?foo=bar#baz", "foo:bar"} {
		fsys[name] = &fstest.MapFile{}
	}
	got := stdGet(t, stdHandle(t, http.FileServerFS(fsys).ServeHTTP))
	for _, want := range []string{
		"<a href=\"a\">a</a>\n<a href=\"b\">b</a>",
		`<a href="%22%27%3C%3E&">&#34;&#39;&lt;&gt;&amp;</a>`,
		`<a href="%3Ffoo=bar%23baz">?foo=bar#baz</a>`,
		`<a href="./foo:bar">foo:bar</a>`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%q is not in %q", want, got.body)
		}
	}
}

// stdBadFS fails to open, or to describe, what it is asked for.
type stdBadFS struct{}

func (stdBadFS) Open(name string) (http.File, error) {
	switch name {
	case "/403":
		return nil, &fs.PathError{Err: fs.ErrPermission}
	case "/404":
		return nil, fs.ErrNotExist
	case "/stat":
		return stdBadFile{}, nil
	}
	return nil, errors.New("out of order")
}

type stdBadFile struct{ http.File }

func (stdBadFile) Stat() (fs.FileInfo, error) { return nil, fs.ErrPermission }
func (stdBadFile) Close() error               { return nil }

func TestStdFileErrors(t *testing.T) {
	t.Parallel()
	files := http.FileServer(stdBadFS{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		for _, k := range []string{"Etag", "Cache-Control", "Content-Type", "Last-Modified"} {
			w.Header().Set(k, "stale")
		}
		files.ServeHTTP(w, r)
	})
	for target, want := range map[string]int{"/403": 403, "/404": 404, "/500": 500, "/stat": 403} {
		got := stdGet(t, url+target)
		if got.StatusCode != want || got.Header.Get("Etag")+got.Header.Get("Cache-Control")+got.Header.Get("Last-Modified") != "" {
			t.Errorf("%s: %d %v; want %d and no header of the file's", target, got.StatusCode, got.Header, want)
		}
	}
}

func TestStdFileModified(t *testing.T) {
	t.Parallel()
	mod := time.Unix(1e9, 0).UTC()
	fsys := fstest.MapFS{"index.html": {Data: []byte("index"), ModTime: mod}}
	url := stdHandle(t, http.FileServerFS(fsys).ServeHTTP)
	got := stdGet(t, url)
	last := got.Header.Get("Last-Modified")
	if got.body != "index" || last != mod.Format(http.TimeFormat) {
		t.Errorf("%q, Last-Modified %q", got.body, last)
	}
	for _, tt := range []struct {
		later time.Duration
		want  int
	}{{0, 304}, {time.Hour, 200}} {
		fsys["index.html"].ModTime = mod.Add(tt.later) // no request is running
		req := stdRequest(t, "GET", url, nil)
		req.Header.Set("If-Modified-Since", last)
		if got := stdDo(t, stdClient(t), req); got.StatusCode != tt.want {
			t.Errorf("modified %v later: %d; want %d", tt.later, got.StatusCode, tt.want)
		}
	}
}

func TestStdContentRangeError(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		for k, v := range map[string]string{"Content-Type": "application/octet-stream", "Content-Length": "7",
			"Content-Encoding": "gzip", "Etag": `"abc"`, "Cache-Control": "immutable", "Other": "test"} {
			w.Header().Set(k, v)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("content"))
	})
	req := stdRequest(t, "GET", url, nil)
	req.Header.Set("Range", "bytes=100-10000")
	got := stdDo(t, stdClient(t), req)
	const body = "invalid range: failed to overlap\n"
	if got.StatusCode != 416 || got.body != body || got.ContentLength != int64(len(body)) {
		t.Errorf("%d %q, length %d", got.StatusCode, got.body, got.ContentLength)
	}
	for k, want := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "",
		"Etag": "", "Cache-Control": "", "Content-Range": "bytes */7", "Other": "test"} {
		if v := got.Header.Get(k); v != want {
			t.Errorf("%s %q; want %q", k, v, want)
		}
	}
}

func TestStdContentEmpty(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "nothing", time.Now(), bytes.NewReader(nil))
	})
	for _, rng := range []string{"bytes=0-128", "bytes=1-"} {
		req := stdRequest(t, "GET", url, nil)
		req.Header.Set("Range", rng)
		if got := stdDo(t, stdClient(t), req); got.StatusCode != 200 || got.body != "" {
			t.Errorf("%s of nothing: %d %q", rng, got.StatusCode, got.body)
		}
	}
}

const stdModTime = "Wed, 25 Jun 2014 17:12:18 GMT"

// stdConditions are what the handler says of its content, what the request asks, and the outcome.
var stdConditions = []struct {
	name, etag   string
	modified     bool
	req          http.Header
	status       int
	contentRange string
}{
	{"no condition", "", false, nil, 200, ""},
	{"modified", "", true, nil, 200, ""},
	{"not since", `"foo"`, true, http.Header{"If-Modified-Since": {stdModTime}}, 304, ""},
	{"same tag", `"foo"`, false, http.Header{"If-None-Match": {`"foo"`}}, 304, ""},
	{"same weak tag", `W/"foo"`, false, http.Header{"If-None-Match": {`"baz", W/"foo"`}}, 304, ""},
	{"other tag", `"foo"`, false, http.Header{"If-None-Match": {`"Foo"`}}, 200, ""},
	{"bad tag", `"foo"`, false, http.Header{"If-None-Match": {`,`}}, 200, ""},
	{"range", `"A"`, false, http.Header{"Range": {"bytes=0-4"}}, 206, "bytes 0-4/8"},
	{"range if same", `"A"`, false, http.Header{"Range": {"bytes=0-4"}, "If-Range": {`"A"`}}, 206, "bytes 0-4/8"},
	{"range if same, weak", `W/"A"`, false, http.Header{"Range": {"bytes=0-4"}, "If-Range": {`W/"A"`}}, 200, ""},
	{"range beyond", `"A"`, false, http.Header{"Range": {"bytes=10-20"}}, 416, "bytes */8"},
	{"range if other", `"A"`, false, http.Header{"Range": {"bytes=0-4"}, "If-Range": {`"B"`}}, 200, ""},
	{"range if not since", "", true, http.Header{"Range": {"bytes=0-4"}, "If-Range": {stdModTime}}, 206, "bytes 0-4/8"},
	{"range if another time", "", true, http.Header{"Range": {"bytes=0-4"}, "If-Range": {"Wed, 25 Jun 2014 17:12:19 GMT"}}, 200, ""},
	{"match", `"A"`, false, http.Header{"If-Match": {`"Z", "A"`}}, 200, ""},
	{"match any", `"A"`, false, http.Header{"If-Match": {`*`}}, 200, ""},
	{"no match", `"A"`, false, http.Header{"If-Match": {`"B"`}}, 412, ""},
	{"weak match", `W/"A"`, false, http.Header{"If-Match": {`W/"A"`}}, 412, ""},
	{"unmodified", "", true, http.Header{"If-Unmodified-Since": {stdModTime}}, 200, ""},
	{"modified after all", "", true, http.Header{"If-Unmodified-Since": {"Wed, 25 Jun 2014 17:12:16 GMT"}}, 412, ""},
}

func TestStdContentConditions(t *testing.T) {
	t.Parallel()
	mod, err := http.ParseTime(stdModTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range stdConditions {
		url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			at := time.Unix(0, 0) // as good as unknown
			if tt.modified {
				at = mod.Add(123)
			}
			if tt.etag != "" {
				w.Header().Set("Etag", tt.etag)
			}
			http.ServeContent(w, r, "style.css", at, strings.NewReader("body {}\n"))
		})
		for _, method := range []string{"GET", "HEAD"} {
			req := stdRequest(t, method, url, nil)
			req.Header = tt.req.Clone()
			if req.Header == nil {
				req.Header = http.Header{}
			}
			got := stdDo(t, stdClient(t), req)
			if got.StatusCode != tt.status || got.Header.Get("Content-Range") != tt.contentRange {
				t.Errorf("%s, %s: %d %q; want %d %q", tt.name, method, got.StatusCode,
					got.Header.Get("Content-Range"), tt.status, tt.contentRange)
			}
			if tt.modified && tt.status != 304 && got.Header.Get("Last-Modified") != stdModTime {
				t.Errorf("%s, %s: Last-Modified %q", tt.name, method, got.Header.Get("Last-Modified"))
			}
		}
	}
}

func TestStdFileLarge(t *testing.T) {
	t.Parallel()
	const size = 3<<20 + 17
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	url := stdHandle(t, stdServeFile(name))
	c := stdClient(t)
	for _, rng := range []string{"", "bytes=1000001-"} {
		req := stdRequest(t, "GET", url, nil)
		want := data
		if rng != "" {
			req.Header.Set("Range", rng)
			want = data[1000001:]
		}
		if got := stdDo(t, c, req); got.body != string(want) || got.ContentLength != int64(len(want)) {
			t.Errorf("range %q: %d bytes of %d, or not the file's", rng, len(got.body), len(want))
		}
	}
}
