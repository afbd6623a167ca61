package session

import (
	"encoding/json"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// Opening is the line before the frames: which frames are this session's, and how many batches may run side by side.
type Opening struct {
	Nonce    string `json:"nonce"`
	Parallel int    `json:"parallel"`
}

// Hello is what a host says first, about itself and the process.
type Hello struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
	// Boot is when the host was started.
	Boot time.Time `json:"boot"`
	// PowerShell is its version; Build is Windows'.
	PowerShell string `json:"powershell"`
	Build      int    `json:"build"`
	// LanguageMode is FullLanguage unless a policy of the host restricts scripts.
	LanguageMode string `json:"languageMode"`
	// Hash is the SHA-256 of the executor's text as it runs there, with LF line ends, in hexadecimal digits.
	Hash string `json:"hash"`
}

// Request is the body of a request.
type Request struct {
	Changes bool            `json:"changes"`
	Batch   json.RawMessage `json:"batch"`
}

// Answer is the body of a result: exactly one of its fields is set.
type Answer struct {
	Results   hostagent.Results `json:"results,omitempty"`
	Cancelled bool              `json:"cancelled,omitempty"`
	// Unreadable says why the request could not be read; nothing of it ran.
	Unreadable string `json:"unreadable,omitempty"`
}

// Pong is the body of the answer to a ping.
type Pong struct {
	// WorkingSet is the process's memory in bytes.
	WorkingSet int64 `json:"workingSet"`
	// Running counts the batches under way, those included that were cancelled and have not ended yet.
	Running int `json:"running"`
}
