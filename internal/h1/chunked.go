package h1

// Bounds on what chunk framing may cost a recipient.
const (
	maxChunk       = 1<<31 - 1 // bytes in one chunk; no sender needs more
	maxSizeDigits  = 16        // leading zeros included
	maxChunkLine   = 4 << 10   // bytes of one size line with its extensions
	maxChunkExcess = 16 << 10  // framing bytes beyond the allowance that data earns
	chunkAllowance = 16        // framing bytes a chunk may cost beside twice its data
	maxTrailer     = 16 << 10  // bytes of the trailer section
	maxTrailerLine = 256       // lines of the trailer section
)

type chunkState uint8

const (
	chunkSize      chunkState = iota // digits of the size
	chunkPad                         // white space before a semicolon
	chunkExt                         // an extension, outside quotes
	chunkQuoted                      // inside a quoted extension value
	chunkEscaped                     // behind a backslash inside quotes
	chunkSizeLF                      // the LF of the size line
	chunkData                        // the data
	chunkDataCR                      // the CRLF behind the data
	chunkDataLF                      //
	chunkTrailer                     // the first byte of a trailer line
	chunkTrailerX                    // the rest of one
	chunkTrailerLF                   // the LF of one
	chunkLastLF                      // the LF of the empty line
	chunkDone                        // nothing more belongs to this body
)

// Chunked decodes a chunked body (RFC 9112, 7.1). The zero value is ready. It holds no
// byte of the body; the trailer section, if there is one, is collected up to 16 KiB. After
// an error, or once done, it stays so.
type Chunked struct {
	left    int64 // data bytes of the current chunk not delivered; the size while it is read
	excess  int64 // framing bytes beyond what the data so far allows
	err     error
	trailer []byte
	fields  []Field
	line    int // bytes of the current size line
	lines   int // trailer lines
	digits  uint8
	state   chunkState
}

// Decode consumes bytes from the front of b: framing, and at most one run of at most max
// body bytes. It returns how many bytes it consumed and the run, which is part of b.
// With done, the body is complete and b[n:] belongs to the next message. Call it again
// with b[n:] while it consumes; n == len(b) without done means that it needs more. The error
// is an *Error; the data of the same call is still good.
func (c *Chunked) Decode(b []byte, max int) (n int, data []byte, done bool, err error) {
	for n < len(b) && c.err == nil && c.state != chunkDone {
		if c.state != chunkData {
			n += c.frame(b[n:])
			continue
		}
		take := min(int64(len(b)-n), int64(max)-int64(len(data)), c.left)
		if len(data) > 0 || take <= 0 {
			break
		}
		data = b[n : n+int(take) : n+int(take)]
		n += int(take)
		c.Advance(take)
	}
	return n, data, c.state == chunkDone, c.err
}

// DecodeInto is Decode that copies: it fills dst from src until one of them is exhausted or
// the body ends, and returns the bytes written and consumed.
func (c *Chunked) DecodeInto(dst, src []byte) (written, consumed int, done bool, err error) {
	for {
		n, data, done, err := c.Decode(src[consumed:], len(dst)-written)
		consumed += n
		written += copy(dst[written:], data)
		if done || err != nil || n == 0 || consumed == len(src) {
			return written, consumed, done, err
		}
	}
}

// Direct returns how many of the next bytes of the connection are body bytes and nothing
// else, so that they may be read straight into the reader's memory. The caller reports
// with Advance how many it took.
func (c *Chunked) Direct() int64 {
	if c.state != chunkData || c.err != nil {
		return 0
	}
	return c.left
}

// Advance takes n bytes off the current chunk. It panics if n is more than Direct reports.
func (c *Chunked) Advance(n int64) {
	if c.state != chunkData || n < 0 || n > c.left {
		panic("h1: Advance beyond the chunk")
	}
	if c.left -= n; c.left == 0 {
		c.state = chunkDataCR
	}
}

// Done reports whether the whole body, trailer section included, has been decoded.
func (c *Chunked) Done() bool { return c.state == chunkDone && c.err == nil }

// Trailer returns the fields of the trailer section, once done. Fields that could change
// the meaning of the message are not among them; ones that could change its framing make
// the body invalid.
func (c *Chunked) Trailer() []Field { return c.fields }

func (c *Chunked) fail(err error) int {
	c.err = err
	return 0
}

// frame consumes some framing from b, which is not empty, and returns how much.
func (c *Chunked) frame(b []byte) int {
	switch c.state {
	case chunkDataCR:
		if b[0] != '\r' {
			return c.fail(ErrChunkEnd)
		}
		c.state = chunkDataLF
		return 1
	case chunkDataLF:
		if b[0] != '\n' {
			return c.fail(ErrChunkEnd)
		}
		c.state = chunkSize
		return 1
	case chunkTrailer, chunkTrailerX, chunkTrailerLF, chunkLastLF:
		return c.trailerBytes(b)
	}
	for i, ch := range b {
		if c.line++; c.line > maxChunkLine {
			c.fail(ErrChunkLineLong)
			return i
		}
		c.sizeByte(ch)
		if c.err != nil {
			return i
		}
		if c.state >= chunkData {
			return i + 1
		}
	}
	return len(b)
}

// sizeByte takes one byte of a size line.
func (c *Chunked) sizeByte(ch byte) {
	switch c.state {
	case chunkSize:
		if d := unhex(ch); d <= 15 {
			c.sizeDigit(d)
			return
		}
		if c.digits == 0 {
			c.err = ErrChunkSize
			return
		}
		c.sizeEnd(ch)
	case chunkExt, chunkQuoted, chunkEscaped:
		c.extByte(ch)
	case chunkSizeLF:
		if ch != '\n' {
			c.err = ErrBareCR
			return
		}
		c.beginChunk()
	}
}

func (c *Chunked) sizeDigit(d byte) {
	if c.digits++; c.digits > maxSizeDigits {
		c.err = ErrChunkTooLarge
		return
	}
	if c.left = c.left<<4 | int64(d); c.left > maxChunk {
		c.err = ErrChunkTooLarge
	}
}

// sizeEnd takes the byte behind the digits. White space there is refused, even before a
// semicolon where RFC 9112, 7.1.1 would have it skipped: net/http refuses it as well.
func (c *Chunked) sizeEnd(ch byte) {
	switch ch {
	case '\r':
		c.state = chunkSizeLF
	case ';':
		c.state = chunkExt
	case '\n':
		c.err = ErrBareLF
	default:
		c.err = ErrChunkSize
	}
}

// extByte takes one byte of an extension. Quotes are followed so that a line end inside
// them is an error, and not a line end to us and text to somebody else.
func (c *Chunked) extByte(ch byte) {
	if isCTL(ch) && ch != '\t' && !(ch == '\r' && c.state == chunkExt) {
		c.err = ErrChunkExtension
		return
	}
	switch c.state {
	case chunkEscaped:
		c.state = chunkQuoted
	case chunkQuoted:
		switch ch {
		case '"':
			c.state = chunkExt
		case '\\':
			c.state = chunkEscaped
		}
	case chunkExt:
		switch {
		case ch == '\r':
			c.state = chunkSizeLF
		case ch == '"':
			c.state = chunkQuoted
		case tokenTab[ch] == 0 && ch != ';' && ch != '=' && !isOWS(ch):
			c.err = ErrChunkExtension
		}
	}
}

// beginChunk ends a size line. Framing that keeps exceeding what the data earns is an
// attack on whoever pays for the parsing (CVE-2023-39326).
func (c *Chunked) beginChunk() {
	const crlf = 2 // behind the data
	c.excess = max(0, c.excess+int64(c.line)+crlf-chunkAllowance-2*c.left)
	if c.excess > maxChunkExcess {
		c.err = ErrChunkOverhead
		return
	}
	last := c.left == 0
	c.line, c.digits = 0, 0
	c.state = chunkData
	if last {
		c.state = chunkTrailer
	}
}

// trailerBytes collects the trailer section and returns how much of b it consumed.
func (c *Chunked) trailerBytes(b []byte) int {
	for i, ch := range b {
		if len(c.trailer) >= maxTrailer {
			c.err = ErrTrailerTooLarge
			return i
		}
		if err := c.trailerByte(ch); err != nil {
			c.err = err
			return i
		}
		if c.state == chunkDone {
			return i + 1
		}
		if c.state != chunkLastLF {
			c.trailer = append(c.trailer, ch)
		}
	}
	return len(b)
}

func (c *Chunked) trailerByte(ch byte) error {
	switch c.state {
	case chunkTrailer:
		if ch == '\r' {
			c.state = chunkLastLF
			return nil
		}
		if isOWS(ch) {
			return ErrFold
		}
		if c.lines++; c.lines > maxTrailerLine {
			return ErrTrailerTooLarge
		}
		c.state = chunkTrailerX
		return checkTrailerByte(ch)
	case chunkTrailerX:
		if ch == '\r' {
			c.state = chunkTrailerLF
			return nil
		}
		return checkTrailerByte(ch)
	case chunkTrailerLF:
		if ch != '\n' {
			return ErrBareCR
		}
		c.state = chunkTrailer
		return nil
	default: // chunkLastLF
		if ch != '\n' {
			return ErrBareCR
		}
		return c.endTrailer()
	}
}

func checkTrailerByte(ch byte) error {
	if isCTL(ch) && ch != '\t' {
		return errLineByte("trailer", ch)
	}
	return nil
}

func (c *Chunked) endTrailer() (err error) {
	if len(c.trailer) > 0 {
		if c.fields, err = parseTrailer(string(c.trailer)); err != nil {
			return err
		}
		c.trailer = nil
	}
	c.state = chunkDone
	return nil
}
