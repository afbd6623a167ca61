package winrm

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// Codes of WS-Man faults and of Windows, which stand in the same place. Source: wsmerror.h and winerror.h.
const (
	faultAccessDenied        = 5
	faultBusy                = 170
	faultAborted             = 995
	faultLogonFailure        = 1326
	faultAccessDeniedHRESULT = 2147942405
	faultLineTooLong         = 2147942606
	faultNothingYet          = 2150858793
	faultShellGone           = 2150858843
	faultMaxShells           = 2150859173
	faultMaxOperations       = 2150859174
	faultQuotaUser           = 2150859175
	faultQuotaSystem         = 2150859176
	faultMaxShellUsers       = 2150859179
	faultShellsNotAllowed    = 2150859180
)

// fault is a refusal that WS-Man gives a reason for. Its text is in the host's language and for people alone.
type fault struct {
	Subcode string `xml:"Code>Subcode>Value"`
	Reason  string `xml:"Reason>Text"`
	Detail  struct {
		Fault struct {
			Code    string      `xml:"Code,attr"`
			Message faultDetail `xml:"Message"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault WSManFault"`
	} `xml:"Detail"`
}

// faultDetail is text, or a provider's fault with text in it.
type faultDetail struct{ text string }

func (d *faultDetail) UnmarshalXML(decoder *xml.Decoder, start xml.StartElement) error {
	var b strings.Builder
	for depth := 1; depth > 0; {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("in %s: %w", start.Name.Local, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			b.Write(t)
		}
	}
	d.text = b.String()
	return nil
}

// code is the fault's number, or 0.
func (f *fault) code() uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(f.Detail.Fault.Code), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// subcode is the WS-Man standard's name for the fault, without its prefix.
func (f *fault) subcode() string {
	_, name, found := strings.Cut(strings.TrimSpace(f.Subcode), ":")
	if !found {
		return strings.TrimSpace(f.Subcode)
	}
	return name
}

// maxFaultText bounds what of a host's words stands in an error.
const maxFaultText = 500

// Error tells what to do, where that is known, and then the host's own words.
func (f *fault) Error() string {
	words := strings.Join(strings.Fields(f.Detail.Fault.Message.text), " ")
	if words == "" {
		words = strings.Join(strings.Fields(f.Reason), " ")
	}
	if len(words) > maxFaultText {
		words = strings.ToValidUTF8(words[:maxFaultText], "") + "…"
	}
	if advice := f.meaning().advice; advice != "" {
		return fmt.Sprintf("%s (WS-Man fault %d: %s)", advice, f.code(), words)
	}
	return fmt.Sprintf("WS-Man fault %d %s: %s", f.code(), f.subcode(), words)
}

type meaning struct {
	class  hostagent.Class
	advice string
}

const (
	adviceRights = "the account may not open a shell: make it a member of the host's Administrators; " +
		"a local account other than the built-in Administrator also needs LocalAccountTokenFilterPolicy = 1"
	adviceQuota = "a quota of the host's WinRM service is full; wait, or raise MaxConcurrentUsers, MaxShellsPerUser and MaxConcurrentOperationsPerUser there"
)

// meanings by code. What is not here is judged by its subcode.
var meanings = map[uint32]meaning{
	faultAccessDenied:        {hostagent.Forbidden, adviceRights},
	faultAccessDeniedHRESULT: {hostagent.Forbidden, adviceRights},
	faultLogonFailure:        {hostagent.Unauthenticated, "the host refused the account's logon"},
	faultBusy:                {hostagent.Throttled, "the host stayed busy with the shell's input"},
	faultAborted:             {hostagent.Unreachable, "the host ended the request: its WinRM service stopped, or the shell was deleted; " + adviceLog},
	faultLineTooLong:         {hostagent.Internal, "the host refused the command line as too long"},
	faultNothingYet:          {hostagent.Timeout, "the host's WinRM service did not finish the request in time"},
	faultShellGone:           {hostagent.Unreachable, "the shell is gone: the host was restarted, or its WinRM service was, or somebody deleted the shell; " + adviceLog},
	faultMaxShells:           {hostagent.Throttled, "the account has as many shells on the host as it may; wait, close other tools' shells, or raise MaxShellsPerUser there"},
	faultMaxOperations: {
		hostagent.Throttled,
		"the account has as many operations on the host as it may; wait, or raise MaxConcurrentOperationsPerUser there",
	},
	faultQuotaUser:        {hostagent.Throttled, adviceQuota},
	faultQuotaSystem:      {hostagent.Throttled, adviceQuota},
	faultMaxShellUsers:    {hostagent.Throttled, "as many accounts use shells on the host as may; wait, or raise MaxConcurrentUsers there"},
	faultShellsNotAllowed: {hostagent.Forbidden, "the host allows no remote shells: set AllowRemoteShellAccess there"},
}

var subcodeMeanings = map[string]meaning{
	"AccessDenied":     {hostagent.Forbidden, adviceRights},
	"QuotaLimit":       {hostagent.Throttled, adviceQuota},
	"InvalidSelectors": meanings[faultShellGone],
	"TimedOut":         meanings[faultNothingYet],
	"EncodingLimit":    {hostagent.Internal, "the host refused the message as too large"},
}

func (f *fault) meaning() meaning {
	if m, ok := meanings[f.code()]; ok {
		return m
	}
	if m, ok := subcodeMeanings[f.subcode()]; ok {
		return m
	}
	return meaning{class: hostagent.Internal}
}

// isFault reports whether err is a fault of one of the codes.
func isFault(err error, codes ...uint32) bool {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if f.code() == code {
			return true
		}
	}
	return false
}

// isGone reports whether err says that the shell is no longer there.
func isGone(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && (f.code() == faultShellGone || f.subcode() == "InvalidSelectors")
}
