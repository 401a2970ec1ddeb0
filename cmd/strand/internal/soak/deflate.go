package soak

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A deflater compresses messages for RFC 7692, with its window kept between them unless fresh is set.
type deflater struct {
	buf   bytes.Buffer
	w     *flate.Writer
	fresh bool
}

var deflateLevels = [...]int{1, 6, 9, flate.HuffmanOnly, 0}

func newDeflater(level int, fresh bool) *deflater {
	d := &deflater{fresh: fresh}
	w, err := flate.NewWriter(&d.buf, level)
	if err != nil {
		panic(fmt.Sprintf("soak: flate level %d: %v", level, err))
	}
	d.w = w
	return d
}

// message returns p compressed, flushed after each of the given cuts as well; the result is valid until the next call.
func (d *deflater) message(p []byte, cuts []int) []byte {
	d.buf.Reset()
	if d.fresh {
		d.w.Reset(&d.buf)
	}
	at := 0
	for _, c := range cuts {
		d.w.Write(p[at:c]) // a bytes.Buffer refuses nothing
		d.w.Flush()
		at = c
	}
	d.w.Write(p[at:])
	d.w.Flush()
	return bytes.TrimSuffix(d.buf.Bytes(), []byte{0, 0, 0xff, 0xff}) // RFC 7692 section 7.2.1
}

// An inflater is the other direction.
type inflater struct {
	r     io.ReadCloser
	dict  []byte
	fresh bool
}

const deflateWindow = 32 << 10

// message appends p decompressed to dst, at most limit bytes.
func (d *inflater) message(dst, p []byte, limit int) ([]byte, error) {
	src := io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if d.r == nil {
		d.r = flate.NewReaderDict(src, nil)
	} else if err := d.r.(flate.Resetter).Reset(src, d.dict); err != nil {
		return dst, err
	}
	out := bytes.NewBuffer(dst)
	at := len(dst)
	n, err := io.Copy(out, io.LimitReader(d.r, int64(limit)+1))
	if err != nil {
		return out.Bytes(), err
	}
	if n > int64(limit) {
		return out.Bytes(), errors.New("a message that inflates beyond what was sent")
	}
	if !d.fresh {
		d.dict = append(d.dict, out.Bytes()[at:]...)
		if k := len(d.dict) - deflateWindow; k > 0 {
			d.dict = append(d.dict[:0], d.dict[k:]...)
		}
	}
	return out.Bytes(), nil
}
