package session

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

const (
	// MaxLine bounds a line on the wire, which bounds what one end makes the other keep.
	MaxLine = 64 << 20
	// MaxBody bounds what a line's body becomes when it is decompressed: a few bytes can stand for many.
	MaxBody = 256 << 20
)

var (
	// ErrTooLarge is a line or a body beyond its bound.
	ErrTooLarge = errors.New("more than the session takes in one frame")
	// ErrMalformed is a line or a body that is not what its beginning promises.
	ErrMalformed = errors.New("not a frame of this session")
)

// A Kind says what a frame is for. Unknown kinds are for later versions: they are ignored.
type Kind string

// The kinds that are sent to a host, and those that come from it.
const (
	KindRequest Kind = "req"
	KindCancel  Kind = "can"
	KindPing    Kind = "ping"
	KindBye     Kind = "bye"

	KindHello  Kind = "hello"
	KindReady  Kind = "ready"
	KindResult Kind = "res"
	KindPong   Kind = "pong"
)

// Frame is one message. Body is packed; it is empty in kinds that carry nothing.
type Frame struct {
	Kind Kind
	ID   uint64
	Body []byte
}

// ToHost is the frame as a line on a host's standard input.
func (f Frame) ToHost() []byte {
	out := make([]byte, 0, len(f.Body)+32)
	return append(f.appendTo(out), '\n')
}

// FromHost is the frame as it stands on a host's standard output. It begins with the end of a line, so that what others
// wrote there without one does not become part of it.
func (f Frame) FromHost(nonce string) []byte {
	out := make([]byte, 0, len(f.Body)+len(nonce)+48)
	out = append(append(out, '\n'), prefix(nonce)...)
	return append(f.appendTo(out), '\n')
}

func prefix(nonce string) string { return "@HV1 " + nonce + " " }

func (f Frame) appendTo(out []byte) []byte {
	out = append(out, f.Kind...)
	if f.Kind == KindBye {
		return out
	}
	out = strconv.AppendUint(append(out, ' '), f.ID, 10)
	if len(f.Body) > 0 {
		out = append(append(out, ' '), f.Body...)
	}
	return out
}

// ParseFrame reads a line that is nothing but a frame. The body is part of the line.
func ParseFrame(line []byte) (Frame, error) {
	kind, rest, _ := bytes.Cut(line, []byte(" "))
	f := Frame{Kind: Kind(kind)}
	if f.Kind == KindBye && len(rest) == 0 {
		return f, nil
	}
	id, body, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || len(kind) == 0 {
		return Frame{}, fmt.Errorf("%w: it has no kind and number", ErrMalformed)
	}
	f.ID = n
	if len(body) > 0 {
		f.Body = body
	}
	return f, nil
}

// LineReader reads lines without their ends, keeping at most MaxLine bytes.
type LineReader struct{ in *bufio.Reader }

// NewLineReader reads the lines of a stream.
func NewLineReader(r io.Reader) LineReader { return LineReader{bufio.NewReaderSize(r, 64<<10)} }

// Next gives the next line, which is the caller's. A line that is not ended does not count: it may have been cut.
func (l LineReader) Next() ([]byte, error) {
	line, _, err := l.next(func([]byte) bool { return true })
	return line, err
}

// next gives the next line if wanted says so of its beginning; of one that is not wanted only the beginning and the length.
func (l LineReader) next(wanted func(beginning []byte) bool) (line []byte, length int, err error) {
	keep := true
	for part := 0; ; part++ {
		chunk, err := l.in.ReadSlice('\n')
		length += len(chunk)
		if part == 0 {
			keep = wanted(chunk)
		}
		if keep && len(line)+len(chunk) > MaxLine {
			return nil, length, ErrTooLarge
		}
		if keep || part == 0 {
			line = append(line, chunk...)
		}
		switch {
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), length, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && length > 0:
			return line, length, io.ErrUnexpectedEOF
		default:
			return line, length, err
		}
	}
}

// Noise counts what stood on a stream beside the frames.
type Noise struct {
	Lines, Bytes int64
	// Beginning is how it began: text for people, bounded, of which nothing is known.
	Beginning string
}

// Scanner finds one session's frames on a host's standard output. What is no frame of this session is skipped, counted and
// never parsed: profiles, banners and native programs write there too.
type Scanner struct {
	lines  LineReader
	prefix []byte

	// mu guards noise, which may be asked for while Next waits.
	mu    sync.Mutex
	noise Noise
}

// NewScanner scans a stream for the frames with the nonce.
func NewScanner(r io.Reader, nonce string) *Scanner {
	return &Scanner{lines: NewLineReader(r), prefix: []byte(prefix(nonce))}
}

// Next gives the next frame, whose body is the caller's. The stream's own error ends it; io.ErrUnexpectedEOF is an end in
// the midst of a line, ErrTooLarge and ErrMalformed are frames that this end cannot read.
func (s *Scanner) Next() (Frame, error) {
	for {
		line, length, err := s.lines.next(s.isFrame)
		if err == nil && s.isFrame(line) {
			return ParseFrame(line[len(s.prefix):])
		}
		if !errors.Is(err, ErrTooLarge) {
			s.skip(line, length)
		}
		if err != nil {
			return Frame{}, err
		}
	}
}

func (s *Scanner) isFrame(line []byte) bool { return bytes.HasPrefix(line, s.prefix) }

// skip counts a line of noise. Empty ones are what frames begin with.
func (s *Scanner) skip(line []byte, length int) {
	const enough = 512
	line = bytes.TrimSpace(line)
	if len(line) == 0 && length <= len("\r\n") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noise.Lines++
	s.noise.Bytes += int64(length)
	if room := enough - len(s.noise.Beginning); room > 0 {
		s.noise.Beginning += string(line[:min(len(line), room)]) + "\n"
	}
}

// Noise is what was skipped until now.
func (s *Scanner) Noise() Noise {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noise
}

// Their tables are large, and a session has many small frames.
var (
	compressors = sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is one of the library's own
		}
		return w
	}}
	decompressors = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// Pack makes a body of a value: base64 of gzip of its JSON.
func Pack(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return PackText(text)
}

// PackText makes a body of a text as it is. It is refused with ErrTooLarge if the other end would not take it.
func PackText(text []byte) ([]byte, error) {
	if len(text) > MaxBody {
		return nil, ErrTooLarge
	}
	var out bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &out)
	compressor, _ := compressors.Get().(*gzip.Writer)
	defer compressors.Put(compressor)
	compressor.Reset(encoder)
	_, err := compressor.Write(text)
	if err := errors.Join(err, compressor.Close(), encoder.Close()); err != nil {
		return nil, err
	}
	// What stands before a body in its line is far shorter than this.
	const room = 256
	if out.Len() > MaxLine-room {
		return nil, ErrTooLarge
	}
	return out.Bytes(), nil
}

// UnpackText gives the text that a body was made of.
func UnpackText(body []byte) ([]byte, error) {
	decompressor, _ := decompressors.Get().(*gzip.Reader)
	defer decompressors.Put(decompressor)
	err := decompressor.Reset(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	if err != nil {
		return nil, fmt.Errorf("%w: its body: %w", ErrMalformed, err)
	}
	text, err := io.ReadAll(io.LimitReader(decompressor, MaxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: its body: %w", ErrMalformed, err)
	case len(text) > MaxBody:
		return nil, ErrTooLarge
	}
	return text, nil
}

// Unpack reads a body's JSON into a value; numbers of no given type become json.Number.
func Unpack(body []byte, into any) error {
	text, err := UnpackText(body)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: its body: %w", ErrMalformed, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: its body goes on after the value", ErrMalformed)
	}
	return nil
}
