package wsman

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// overhead is what an answer's envelope takes beside its streams.
const overhead = 4 << 10

// receive waits for output, until the time that the request gives.
func (s *Server) receive(ctx context.Context, who *logon, req *request) ([]byte, error) {
	wait, err := s.timeout(req)
	if err != nil {
		return nil, err
	}
	sh, c, err := s.find(who, req, req.Body.Receive.DesiredStream.CommandID)
	if err != nil {
		return nil, err
	}
	s.waits(sh, 1)
	defer s.waits(sh, -1)
	timer := s.config.Clock.NewTimer(wait)
	defer timer.Stop()
	for {
		if sh.isGone() {
			return nil, errAborted
		}
		chunks, done, changed := c.out.take(s.room(req))
		if len(chunks) > 0 || done {
			return answer(req, shellURI+"/ReceiveResponse", received(c, chunks, done)), nil
		}
		select {
		case <-changed:
		case <-sh.gone:
		case <-timer.C():
			return nil, errTimedOut
		case <-ctx.Done():
			return nil, errTimedOut
		}
	}
}

func (s *Server) waits(sh *shell, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh.receiving += by
	sh.lastUse = s.config.Clock.Now()
}

// timeout is how long a request may wait.
func (s *Server) timeout(req *request) (time.Duration, error) {
	if req.Header.OperationTimeout == "" {
		return s.config.Limits.Timeout, nil
	}
	asked, err := parseDuration(req.Header.OperationTimeout)
	if err != nil {
		return 0, errSchema
	}
	return min(asked, s.config.Limits.Timeout), nil
}

// room is how many bytes of output fit into an answer, as base64.
func (s *Server) room(req *request) int {
	most := s.config.Limits.EnvelopeBytes
	if asked := req.Header.MaxEnvelopeSize; asked > overhead {
		most = min(most, asked)
	}
	return max((most-overhead)/4*3, 1)
}

func received(c *command, chunks []chunk, done bool) string {
	var b strings.Builder
	b.WriteString("<rsp:ReceiveResponse>")
	for _, ch := range chunks {
		fmt.Fprintf(&b, `<rsp:Stream Name="%s" CommandId="%s">%s</rsp:Stream>`, ch.stream, c.id, base64.StdEncoding.EncodeToString(ch.data))
	}
	if !done {
		fmt.Fprintf(&b, `<rsp:CommandState CommandId="%s" State="%s/CommandState/Running"/>`, c.id, shellURI)
	} else {
		for _, name := range []string{"stdout", "stderr"} {
			fmt.Fprintf(&b, `<rsp:Stream Name="%s" CommandId="%s" End="true"></rsp:Stream>`, name, c.id)
		}
		fmt.Fprintf(&b, `<rsp:CommandState CommandId="%s" State="%s/CommandState/Done"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState>`, c.id, shellURI, c.out.code)
	}
	b.WriteString("</rsp:ReceiveResponse>")
	return b.String()
}
