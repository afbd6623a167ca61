package session

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const nonce = "00112233445566778899aabbccddeeff"

// scanAll gives all frames of a stream, and what ended it.
func scanAll(r io.Reader) (frames []Frame, noise Noise, end error) {
	s := NewScanner(r, nonce)
	for {
		f, err := s.Next()
		if err != nil {
			return frames, s.Noise(), err
		}
		frames = append(frames, f)
	}
}

func TestScanner(t *testing.T) {
	frame := "@HV1 " + nonce + " res 7 QUJD"
	want := Frame{Kind: KindResult, ID: 7, Body: []byte("QUJD")}
	tests := map[string]struct {
		stream string
		frames []Frame
		noise  int64
		end    error
	}{
		"nothing":                      {"", nil, 0, io.EOF},
		"a frame":                      {"\n" + frame + "\n", []Frame{want}, 0, io.EOF},
		"ends of lines as Windows has": {"\r\n" + frame + "\r\n", []Frame{want}, 0, io.EOF},
		"a frame without a body":       {"\n@HV1 " + nonce + " ready 0\n", []Frame{{Kind: KindReady}}, 0, io.EOF},
		"an unknown kind":              {"\n@HV1 " + nonce + " event 9 QQ==\n", []Frame{{Kind: "event", ID: 9, Body: []byte("QQ==")}}, 0, io.EOF},
		"noise before and after":       {"banner\n\n" + frame + "\nmore\n", []Frame{want}, 2, io.EOF},
		"noise without an end":         {"progress 10%\n" + frame + "\n", []Frame{want}, 1, io.EOF},
		"noise that is long":           {strings.Repeat("x", 1<<20) + "\n" + frame + "\n", []Frame{want}, 1, io.EOF},
		"noise that is not text":       {"\x00\xff\xfe\n" + frame + "\n", []Frame{want}, 1, io.EOF},
		"another session's frame":      {"\n@HV1 " + strings.Repeat("f", 32) + " res 7 QUJD\n", nil, 1, io.EOF},
		"a frame within a line":        {"see " + frame + "\n", nil, 1, io.EOF},
		"a prefix in other letters":    {strings.ToLower(frame) + "\n", nil, 1, io.EOF},
		"no kind and number":           {"@HV1 " + nonce + " \n", nil, 0, ErrMalformed},
		"no number":                    {"@HV1 " + nonce + " res\n", nil, 0, ErrMalformed},
		"a number that is none":        {"@HV1 " + nonce + " res -1 QQ==\n", nil, 0, ErrMalformed},
		"a number that is too large":   {"@HV1 " + nonce + " res 18446744073709551616 QQ==\n", nil, 0, ErrMalformed},
		"an end in a frame":            {"\n" + frame, nil, 1, io.ErrUnexpectedEOF},
		"an end in noise":              {"\n" + frame + "\nbye", []Frame{want}, 1, io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once": strings.NewReader(test.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(test.stream)),
			} {
				frames, noise, end := scanAll(r)
				if diff := cmp.Diff(test.frames, frames); diff != "" {
					t.Errorf("%s: frames (-want +got):\n%s", how, diff)
				}
				if noise.Lines != test.noise || !errors.Is(end, test.end) {
					t.Errorf("%s: %d lines of noise, end %v; want %d, %v", how, noise.Lines, end, test.noise, test.end)
				}
			}
		})
	}
}

// repeat gives n bytes of one kind without holding them.
func repeat(b byte, n int64) io.Reader { return io.LimitReader(same(b), n) }

type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

func TestScannerIsBounded(t *testing.T) {
	head := "\n@HV1 " + nonce + " res 1 "
	t.Run("a frame", func(t *testing.T) {
		_, _, err := scanAll(io.MultiReader(strings.NewReader(head), repeat('A', MaxLine)))
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
	})
	t.Run("noise has no bound and takes no room", func(t *testing.T) {
		stream := func() io.Reader {
			return io.MultiReader(repeat('A', 2*MaxLine), strings.NewReader(head+"QQ==\n"))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		frames, noise, _ := scanAll(stream())
		runtime.ReadMemStats(&after)
		if len(frames) != 1 || noise.Lines != 1 || noise.Bytes != 2*MaxLine+1 || len(noise.Beginning) > 1024 {
			t.Errorf("%d frames, %d lines of noise with %d bytes", len(frames), noise.Lines, noise.Bytes)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
			t.Errorf("skipping noise took %d bytes", allocated)
		}
	})
}

// body makes a frame's body of raw bytes.
func body(t *testing.T, write func(io.Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &out)
	compressor := gzip.NewWriter(encoder)
	write(compressor)
	if err := errors.Join(compressor.Close(), encoder.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func text(s string) func(io.Writer) { return func(w io.Writer) { _, _ = io.WriteString(w, s) } }

func TestUnpackRefuses(t *testing.T) {
	right := body(t, text(`{"pid":1}`))
	tests := map[string]struct {
		body []byte
		want error
		text string
	}{
		"nothing":                {nil, ErrMalformed, "EOF"},
		"what is no base64":      {[]byte(strings.Repeat("€", 20)), ErrMalformed, "base64"},
		"what is no gzip":        {[]byte("QUJDREVGR0hJSktMTU5PUFFS"), ErrMalformed, "gzip"},
		"what was cut":           {right[:len(right)-8], ErrMalformed, "EOF"},
		"what was changed":       {body(t, text("x"))[:8], ErrMalformed, "EOF"},
		"what is no JSON":        {body(t, text("pid")), ErrMalformed, "invalid character"},
		"JSON of another shape":  {body(t, text(`[]`)), ErrMalformed, "cannot unmarshal"},
		"more than one value":    {body(t, text(`{} {}`)), ErrMalformed, "goes on after"},
		"much more than arrived": {body(t, func(w io.Writer) { _, _ = io.Copy(w, repeat(' ', MaxBody+1)) }), ErrTooLarge, "more than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var hello Hello
			err := Unpack(test.body, &hello)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

func TestPackRefusesWhatTheOtherEndWould(t *testing.T) {
	if _, err := PackText(make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	packed, err := Pack(map[string]any{"n": json.Number("9007199254740993")})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := Unpack(packed, &got); err != nil {
		t.Fatal(err)
	}
	if got["n"] != json.Number("9007199254740993") {
		t.Errorf("got %v", got["n"])
	}
}

// Whatever noise stands between frames, and however the stream is cut into reads, what was written comes back.
func TestWhatIsWrittenComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		var want []Frame
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			noise := rapid.SliceOf(rapid.Byte()).Draw(t, "noise")
			stream.Write(noise)
			text := rapid.String().Draw(t, "text")
			packed, err := Pack(text)
			if err != nil {
				t.Fatal(err)
			}
			f := Frame{Kind: rapid.SampledFrom([]Kind{KindResult, KindPong, KindHello, "event"}).Draw(t, "kind"), ID: rapid.Uint64().Draw(t, "id"), Body: packed}
			stream.Write(f.FromHost(nonce))
			want = append(want, f)
		}
		got, _, err := scanAll(iotest.HalfReader(&stream))
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("end %v, frames (-want +got):\n%s", err, diff)
		}
	})
}

func TestFramesToHostComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Frame{Kind: rapid.SampledFrom([]Kind{KindRequest, KindCancel, KindPing, KindBye}).Draw(t, "kind")}
		if f.Kind != KindBye {
			f.ID = rapid.Uint64().Draw(t, "id")
		}
		if f.Kind == KindRequest {
			f.Body = []byte("QUJD")
		}
		line, err := NewLineReader(bytes.NewReader(f.ToHost())).Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseFrame(line)
		if diff := cmp.Diff(f, got); diff != "" || err != nil {
			t.Fatalf("error %v, frame (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzScanner: no stream breaks the scanner, and a frame written after any of them is found.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		"", "banner\n", "\n@HV1 " + nonce + " res 1 QQ==\n", "@HV1 " + nonce + " ", "\r\n\r\n", "@HV1 @HV1 " + nonce, "\x00\n\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		last := Frame{Kind: "last", ID: 1, Body: []byte("QQ==")}
		frames, _, err := scanAll(io.MultiReader(bytes.NewReader(stream), bytes.NewReader(last.FromHost(nonce))))
		if errors.Is(err, ErrMalformed) && bytes.Contains(stream, []byte(prefix(nonce))) {
			return
		}
		if !errors.Is(err, io.EOF) || len(frames) == 0 || !cmp.Equal(frames[len(frames)-1], last) {
			t.Errorf("end %v, frames %v", err, frames)
		}
	})
}

// FuzzUnpack: no body breaks the decoder; one that it takes is taken again when written anew.
func FuzzUnpack(f *testing.F) {
	for _, v := range []any{Hello{PID: 1}, Answer{Cancelled: true}, nil, []int{1}} {
		packed, err := Pack(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add(packed[:len(packed)/2])
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		var v any
		err := Unpack(packed, &v)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("an error without a reason: %v", err)
			}
			return
		}
		again, err := Pack(v)
		if err != nil {
			t.Fatal(err)
		}
		var w any
		if err := Unpack(again, &w); err != nil || !cmp.Equal(v, w) {
			t.Errorf("%v became %v (%v)", v, w, err)
		}
	})
}
