package hyperv

import (
	"encoding/json"
	"fmt"
	"strings"
)

// StampFile is the name of the stamp in a folder of ours.
const StampFile = "guestclustering.json"

// The kinds of objects that have folders on the host cluster.
const (
	KindGuestCluster = "GuestCluster"
	KindSharedDisk   = "SharedDisk"
)

// Stamp says whose a folder on the host cluster is. What lies in a stamped folder belongs to the object the stamp names.
type Stamp struct {
	// ClusterID is the Kubernetes cluster: the UID of its namespace kube-system.
	ClusterID    string `json:"clusterID"`
	Namespace    string `json:"namespace"`
	NamespaceUID string `json:"namespaceUID"`
	// Kind and Name are those of the Kubernetes object: KindGuestCluster or KindSharedDisk.
	Kind string `json:"kind"`
	Name string `json:"name"`
	UID  string `json:"uid"`
	// Member is the guest cluster's member that the folder is for; empty for a shared disk.
	Member string `json:"member,omitempty"`
}

// Encode gives the stamp's text, always the same for the same stamp.
func (s Stamp) Encode() string {
	// A struct of strings cannot fail to encode.
	text, _ := json.Marshal(s)
	return string(text)
}

// ParseStamp reads a stamp's text. Unknown fields are allowed: a newer operator may have written it.
func ParseStamp(text string) (Stamp, error) {
	var s Stamp
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Stamp{}, fmt.Errorf("reading stamp: %w", err)
	}
	if s.ClusterID == "" || s.UID == "" || s.Kind == "" || s.Name == "" {
		return Stamp{}, fmt.Errorf("reading stamp: clusterID, kind, name or uid is missing")
	}
	return s, nil
}

// SameObject reports whether both stamps are of the very same object, its member included.
func (s Stamp) SameObject(o Stamp) bool {
	return s.ClusterID == o.ClusterID && s.UID == o.UID && s.Kind == o.Kind && s.Member == o.Member
}

// Predecessor reports whether o is of an object with this stamp's kind, namespace and name but another identity: what
// an earlier object of the same name left.
func (s Stamp) Predecessor(o Stamp) bool {
	return s.Kind == o.Kind && s.Namespace == o.Namespace && s.Name == o.Name && s.Member == o.Member && !s.SameObject(o)
}

// FolderPath is where an object's files lie: <pool>\<namespace>.<name>.<first 8 of the UID>. For a member the name is
// the member's.
func FolderPath(pool string, s Stamp) string {
	name := s.Name
	if s.Member != "" {
		name = s.Member
	}
	return JoinPath(pool, fmt.Sprintf("%s.%s.%.8s", s.Namespace, name, s.UID))
}

// MachineName is a member's name on the hosts: two namespaces may use the same member name.
func MachineName(namespace, member string) string { return namespace + "." + member }

// JoinPath joins parts of a Windows path.
func JoinPath(parts ...string) string {
	trimmed := make([]string, len(parts))
	for i, part := range parts {
		trimmed[i] = strings.TrimRight(part, `\`)
	}
	return strings.Join(trimmed, `\`)
}

// BaseName is the last part of a Windows path.
func BaseName(path string) string {
	return path[strings.LastIndex(path, `\`)+1:]
}

// DirName is a Windows path without its last part; empty when it has only one.
func DirName(path string) string {
	return path[:max(0, strings.LastIndex(path, `\`))]
}

// SamePath compares two Windows paths, which do not tell upper from lower case.
func SamePath(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, `\`), strings.TrimRight(b, `\`))
}

// Within reports whether the path is the folder or lies in it. Nothing lies in a folder without a name.
func Within(folder, path string) bool {
	folder, path = strings.TrimRight(folder, `\`), strings.TrimRight(path, `\`)
	if folder == "" {
		return false
	}
	if len(path) <= len(folder) {
		return strings.EqualFold(folder, path)
	}
	return strings.EqualFold(folder, path[:len(folder)]) && path[len(folder)] == '\\'
}
