package conformance

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// limit is what every peer in these tests is set to take.
const limit = 16 << 20

// textReader fails as soon as what it has read cannot become valid UTF-8. Neither coder
// nor gorilla looks at text itself: the gorilla echo does it for the library, so that one
// peer answers these cases, and the coder echo does not.
type textReader struct {
	r    io.Reader
	tail []byte
}

var errNotText = errors.New("not UTF-8")

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.tail = append(t.tail, p[:n]...)
	if wrongAt(t.tail) >= 0 {
		return n, errNotText
	}
	t.tail = append([]byte(nil), lastRune(t.tail)...)
	if err == io.EOF && len(t.tail) > 0 {
		return n, errNotText
	}
	return n, err
}

// readAll begins with single bytes, so that a reader that fills its buffer is not waited for.
func readAll(r io.Reader, text bool) ([]byte, error) {
	if !text {
		return io.ReadAll(r)
	}
	var b bytes.Buffer
	r = &textReader{r: r}
	one := make([]byte, 1)
	for range 512 {
		n, err := r.Read(one)
		b.Write(one[:n])
		if err == io.EOF {
			return b.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
	}
	_, err := io.Copy(&b, r)
	return b.Bytes(), err
}

func badFlate(err error) bool {
	var c flate.CorruptInputError
	return errors.As(err, &c) || err == io.ErrUnexpectedEOF || err != nil && strings.Contains(err.Error(), "flate: corrupt input")
}

func gorillaEcho(c *gorilla.Conn) error {
	defer c.Close()
	c.SetReadLimit(limit)
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return err
		}
		p, err := readAll(r, kind == gorilla.TextMessage)
		if err == errNotText || badFlate(err) {
			c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1007, ""), time.Now().Add(time.Second))
		}
		if err != nil {
			return err
		}
		if err := c.WriteMessage(kind, p); err != nil {
			return err
		}
	}
}

func gorillaServer() http.Handler {
	up := gorilla.Upgrader{EnableCompression: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r, nil); err == nil {
			gorillaEcho(c)
		}
	})
}

func gorillaClient(ctx context.Context, url string, deflate bool) error {
	d := gorilla.Dialer{EnableCompression: deflate, TLSClientConfig: testTLS()}
	c, _, err := d.DialContext(ctx, url, nil)
	if err != nil {
		return err
	}
	return gorillaEcho(c)
}

func coderEcho(ctx context.Context, c *coder.Conn) error {
	defer c.CloseNow()
	c.SetReadLimit(limit)
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		p, err := io.ReadAll(r)
		if badFlate(err) {
			c.Close(1007, "") // waits 5 s for an answer that the suite does not give
		}
		if err != nil {
			return err
		}
		if err := c.Write(ctx, kind, p); err != nil {
			return err
		}
	}
}

func coderServer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coder.CompressionContextTakeover})
		if err == nil {
			coderEcho(context.Background(), c)
		}
	})
}

func coderClient(ctx context.Context, url string, deflate bool) error {
	mode := coder.CompressionDisabled
	if deflate {
		mode = coder.CompressionContextTakeover
	}
	c, _, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: mode})
	if err != nil {
		return err
	}
	return coderEcho(ctx, c)
}

// known is a group of cases a peer is known to answer in another way.
type known struct {
	ids string // a regular expression that matches whole ids
	why string
}

// judge fails on every difference that is not known, and on every known one that is gone.
func judge(t *testing.T, rep Report, differences []known) {
	t.Helper()
	used := make([]bool, len(differences))
	for _, r := range rep.Results {
		t.Run(r.Case.ID, func(t *testing.T) {
			if r.Status == Pass || r.Status == Declined {
				return
			}
			for i, k := range differences {
				if regexp.MustCompile("^(?:" + k.ids + ")$").MatchString(r.Case.ID) {
					used[i] = true
					return
				}
			}
			t.Errorf("%s\nwant: %s\ngot:  %v", r.Case.Says, r.Case.Want, r.Err)
		})
	}
	if match() != nil {
		return
	}
	for i, k := range differences {
		if !used[i] {
			t.Errorf("no case differs as listed any more: %s (%s)", k.ids, k.why)
		}
	}
}

// match narrows a run to the ids that WSCONFORM_MATCH matches.
func match() *regexp.Regexp {
	s := os.Getenv("WSCONFORM_MATCH")
	if s == "" {
		return nil
	}
	return regexp.MustCompile(s)
}

func options() Options {
	return Options{Limit: limit, OriginChecked: true, Timeout: 20 * time.Second, Parallel: 256, Match: match()}
}

func wsURL(s *httptest.Server) string { return strings.Replace(s.URL, "http", "ws", 1) + "/" }

func server(t *testing.T, h http.Handler, differences []known) {
	t.Parallel() // the cases that get no answer wait together
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	defer s.Close()
	rep := RunServer(t.Context(), wsURL(s), options())
	t.Logf("%d pass, %d declined", rep.Count(Pass), rep.Count(Declined))
	judge(t, rep, differences)
}

func client(t *testing.T, c EchoClient, differences []known) {
	t.Parallel()
	rep := RunClient(t.Context(), "", c, options())
	t.Logf("%d pass, %d declined", rep.Count(Pass), rep.Count(Declined))
	judge(t, rep, differences)
}

func TestGorillaServer(t *testing.T) { server(t, gorillaServer(), gorillaServerDiffers) }
func TestGorillaClient(t *testing.T) { client(t, gorillaClient, gorillaClientDiffers) }
func TestCoderServer(t *testing.T)   { server(t, coderServer(), coderServerDiffers) }
func TestCoderClient(t *testing.T)   { client(t, coderClient, coderClientDiffers) }
