package inside

import (
	"slices"
	"strconv"
	"strings"
)

// computerClass is the schemaIDGUID of the class computer ("Computer class").
const computerClass = "bf967a86-0de6-11d0-a285-00aa003049e2"

// createChild is the right to create objects in a container, one of a class where the entry names one ("ADS_RIGHTS_ENUM").
const createChild = 0x1

// withCreateChild are the words for rights that contain createChild: the right itself, and full control in its spellings ("ACE
// Strings").
var withCreateChild = []string{"CC", "GA", "FA", "KA"}

// mayCreateComputers reports whether who has these SIDs may create computer objects in the container of a security descriptor.
// Entries count in their order, as in Windows ("Order of ACEs in a DACL"); those with conditions grant nothing. Without an access
// list everybody may ("Null DACLs and Empty DACLs").
func mayCreateComputers(sddl string, sids []string) bool {
	entries, listed := accessList(sddl)
	if !listed {
		return true
	}
	for _, e := range entries {
		if !e.concerns(sids) {
			continue
		}
		switch e.kind {
		case "A", "OA":
			return true
		case "D", "OD":
			return false
		}
	}
	return false
}

// entry is one access control entry ("ACE Strings").
type entry struct {
	kind, flags, rights, object, sid string
}

// concerns reports whether an entry is about creating computer objects by one of the SIDs, in the container itself.
func (e entry) concerns(sids []string) bool {
	// What is inherited only is about the objects in the container.
	inheritOnly := slices.Contains(pairs(e.flags), "IO")
	about := e.object == "" || strings.EqualFold(e.object, computerClass)
	return !inheritOnly && about && e.hasCreateChild() && isOneOf(e.sid, sids)
}

func (e entry) hasCreateChild() bool {
	if mask, err := strconv.ParseUint(e.rights, 0, 64); err == nil {
		return mask&createChild != 0
	}
	return slices.ContainsFunc(pairs(e.rights), func(right string) bool { return slices.Contains(withCreateChild, right) })
}

// pairs cuts a text of two-letter words.
func pairs(text string) []string {
	var out []string
	for ; len(text) >= 2; text = text[2:] {
		out = append(out, strings.ToUpper(text[:2]))
	}
	return out
}

// wellKnown are the SIDs behind words that are the same everywhere; inDomain are the last parts of those that are the domain's
// ("SID Strings").
var (
	wellKnown = map[string]string{
		"WD": "S-1-1-0", "AU": "S-1-5-11", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "AO": "S-1-5-32-548", "RU": "S-1-5-32-554",
	}
	inDomain = map[string]string{"DA": "-512", "DU": "-513", "DC": "-515", "DD": "-516", "EA": "-519"}
)

// isOneOf reports whether an entry's trustee is one of the SIDs, the first of which is an account's own. Every account is one of
// Everyone and of Authenticated Users.
func isOneOf(trustee string, sids []string) bool {
	if sid, ok := wellKnown[strings.ToUpper(trustee)]; ok {
		trustee = sid
	}
	if end, ok := inDomain[strings.ToUpper(trustee)]; ok && len(sids) > 0 {
		if i := strings.LastIndex(sids[0], "-"); i >= 0 {
			trustee = sids[0][:i] + end
		}
	}
	everyone := trustee == wellKnown["WD"] || trustee == wellKnown["AU"]
	return everyone || slices.ContainsFunc(sids, func(sid string) bool { return strings.EqualFold(sid, trustee) })
}

// accessList reads the entries of a descriptor's discretionary list; false when it has none ("Security Descriptor String
// Format").
func accessList(sddl string) ([]entry, bool) {
	_, list, found := strings.Cut(sddl, "D:")
	if !found || strings.HasPrefix(strings.ToUpper(list), "NO_ACCESS_CONTROL") {
		return nil, false
	}
	var out []entry
	start := strings.IndexAny(list, "(:")
	for start >= 0 && start < len(list) && list[start] == '(' {
		end := closing(list[start:])
		if end < 0 {
			break
		}
		out = append(out, parseEntry(list[start+1:start+end]))
		start += end + 1
	}
	return out, true
}

// closing is where the first parenthesis closes: conditions have parentheses of their own.
func closing(text string) int {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

func parseEntry(text string) entry {
	parts := strings.SplitN(text, ";", 7)
	for len(parts) < 6 {
		parts = append(parts, "")
	}
	return entry{kind: strings.ToUpper(parts[0]), flags: parts[1], rights: parts[2], object: parts[3], sid: parts[5]}
}
