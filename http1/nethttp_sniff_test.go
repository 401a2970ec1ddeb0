package http1_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// stdSamples are bodies and the type that is found in them.
var stdSamples = []struct{ name, data, want string }{
	{"nothing", "", ""},
	{"binary", "\x01\x02\x03", "application/octet-stream"},
	{"html", "<HtMl><bOdY>body</body></html>", "text/html; charset=utf-8"},
	{"html behind space", "   <!DOCTYPE HTML>...", "text/html; charset=utf-8"},
	{"xml", "\n<?xml!", "text/xml; charset=utf-8"},
	{"text", "This is not HTML. It has ☃ though.", "text/plain; charset=utf-8"},
	{"utf-16", "\xfe\xff\x00t\x00e", "text/plain; charset=utf-16be"},
	{"pdf", "%PDF-1.7", "application/pdf"},
	{"png", "\x89PNG\x0d\x0a\x1a\x0a", "image/png"},
	{"gif", "GIF87a", "image/gif"},
	{"jpeg", "\xff\xd8\xff", "image/jpeg"},
	{"webp", "RIFFb\xb8\x00\x00WEBPVP", "image/webp"},
	{"wave", "RIFFb\xb8\x00\x00WAVEfmt \x12\x00\x00\x00\x06", "audio/wave"},
	{"mp4", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom<\x06t\xbfmdat", "video/mp4"},
	{"woff", "wOFF", "font/woff"},
	{"gzip", "\x1f\x8b\x08", "application/x-gzip"},
	{"zip", "PK\x03\x04", "application/zip"},
	{"rar", "Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"},
	{"no rar", "Rar \x1a\x07\x00", "application/octet-stream"},
}

func TestStdSniff(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Path[1:])
		if n, err := io.WriteString(w, stdSamples[i].data); n != len(stdSamples[i].data) || err != nil {
			t.Errorf("%s: wrote %d, %v", stdSamples[i].name, n, err)
		}
	})
	c := stdClient(t)
	for i, s := range stdSamples {
		got := stdDo(t, c, stdRequest(t, "GET", url+"/"+strconv.Itoa(i), nil))
		if ct := got.Header.Get("Content-Type"); ct != s.want || got.body != s.data {
			t.Errorf("%s: %q %q; want %q", s.name, ct, got.body, s.want)
		}
		if s.data != "" && http.DetectContentType([]byte(s.data)) != s.want {
			t.Errorf("%s: the table is wrong", s.name)
		}
	}
}

func TestStdSniffSources(t *testing.T) {
	t.Parallel()
	const in = "\n<html>\n\t<head>\n"
	for name, write := range map[string]func(http.ResponseWriter) (int64, error){
		"one write": func(w http.ResponseWriter) (int64, error) {
			n, err := io.WriteString(w, in)
			return int64(n), err
		},
		"byte by byte": func(w http.ResponseWriter) (n int64, err error) {
			for i := range len(in) {
				m, err := w.Write([]byte{in[i]})
				if n += int64(m); err != nil {
					return n, err
				}
			}
			return n, nil
		},
		"a reader": func(w http.ResponseWriter) (int64, error) {
			return io.Copy(w, stdReaderOnly{strings.NewReader(in)})
		},
		"a buffer": func(w http.ResponseWriter) (int64, error) { return io.Copy(w, bytes.NewBufferString(in)) },
		"ReadFrom": func(w http.ResponseWriter) (int64, error) {
			return w.(io.ReaderFrom).ReadFrom(strings.NewReader(in))
		},
		"a reader byte by byte": func(w http.ResponseWriter) (int64, error) {
			return io.Copy(w, iotest.OneByteReader(strings.NewReader(in)))
		},
	} {
		got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			if n, err := write(w); n != int64(len(in)) || err != nil {
				t.Errorf("%s: wrote %d, %v", name, n, err)
			}
		}))
		if got.Header.Get("Content-Type") != "text/html; charset=utf-8" || got.ContentLength != int64(len(in)) || got.body != in {
			t.Errorf("%s: %q, length %d, %q", name, got.Header.Get("Content-Type"), got.ContentLength, got.body)
		}
	}
}

func TestStdSniffSizes(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Path[1:])
		if n, err := io.WriteString(w, strings.Repeat("a", size)); n != size || err != nil {
			t.Errorf("wrote %d of %d, %v", n, size, err)
		}
	})
	c := stdClient(t)
	for _, size := range []int{0, 1, 200, 511, 512, 513, 600, 999, 1000, 1023, 1024, 2047, 2048, 2049, 4096, 4097, 512 << 10, 1 << 20} {
		got := stdDo(t, c, stdRequest(t, "GET", url+"/"+strconv.Itoa(size), nil))
		if len(got.body) != size || size > 0 && got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%d bytes: %d, %q", size, len(got.body), got.Header.Get("Content-Type"))
		}
	}
}

func TestStdSniffNotWhenSet(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{""}
		io.WriteString(w, "<html><head></head><body>hi</body></html>")
	}))
	if s := stdSeen(got.Header, "Content-Type"); s != `[""]` {
		t.Errorf("Content-Type %s; want the empty one that was set", s)
	}
}

func TestStdSniffNotWhenEncoded(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	io.WriteString(gz, "<p>Hello</p>")
	gz.Close()
	for _, tt := range []struct {
		encoding string
		set      bool
		body     string
		want     string
	}{
		{"application/gzip", true, zipped.String(), ""},
		{"foo/bar", true, "<p>Hello</p>", ""},
		{"", false, zipped.String(), "application/x-gzip"},
		{"", true, "ID3", "audio/mpeg"},
	} {
		got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.set {
				w.Header().Set("Content-Encoding", tt.encoding)
			}
			io.WriteString(w, tt.body)
		}))
		if ct := got.Header.Get("Content-Type"); ct != tt.want || got.Header.Get("Content-Encoding") != tt.encoding {
			t.Errorf("encoding %q (%v): %q %q; want %q", tt.encoding, tt.set, ct, got.Header.Get("Content-Encoding"), tt.want)
		}
	}
}
