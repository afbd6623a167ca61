package guestpool

import (
	"reflect"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// subject is what is remembered of one guest cluster. The pool's lock guards it.
type subject struct {
	key  string
	want Subject
	// due is whether it is to be asked before the next poll.
	due bool
	// turn counts the polls.
	turn    int
	members map[string]*member

	// cluster is what was told last, and nil since nobody can tell; known is what was last told at all, for whom to ask next.
	cluster, known *guest.Cluster
	clusterNo      int

	// directory is the answer to directoryAsked; directoryClosed is whether the domain refused the account of that question,
	// which then is not asked again.
	directory       *guest.Directory
	directoryAsked  *inventory.DirectoryQuestions
	directoryNo     int
	directoryClosed bool
	// directoryTurn says which of the members that could ask the domain does: the next after one failed.
	directoryTurn int

	validation   *guest.Validation
	validationNo int

	latest *guest.Snapshot
}

// keepMembers remembers the members that are wanted, and no others.
func (s *subject) keepMembers() {
	members := map[string]*member{}
	for _, want := range s.want.Members {
		key := hyperv.Key(want.VMID)
		if key == "" {
			continue
		}
		members[key] = s.members[key]
		if members[key] == nil {
			members[key] = &member{}
		}
	}
	s.members = members
}

func (s *subject) member(vmID string) (*member, Member, bool) {
	i := slices.IndexFunc(s.want.Members, func(m Member) bool { return vmID != "" && strings.EqualFold(m.VMID, vmID) })
	if i < 0 {
		return nil, Member{}, false
	}
	return s.members[hyperv.Key(vmID)], s.want.Members[i], true
}

// locate finds out anew where the members' machines run.
func (s *subject) locate() {
	hosts := s.hosts()
	for key, m := range s.members {
		m.locate(hosts, key)
	}
}

func (s *subject) hosts() *hyperv.Snapshot {
	hosts, _ := s.want.Hosts.Snapshot()
	if hosts == nil {
		return &hyperv.Snapshot{}
	}
	return hosts
}

// reachesMore reports whether a machine can be asked now that could not when it was to be asked last.
func (s *subject) reachesMore() bool {
	hosts := s.hosts()
	for key, m := range s.members {
		var now member
		if now.locate(hosts, key); now.host != "" && m.host == "" {
			return true
		}
	}
	return false
}

// nameOf is the computer name of a member: as it told, or as it is to be.
func (s *subject) nameOf(want Member) string {
	if m := s.members[hyperv.Key(want.VMID)]; m.facts.Answered && m.facts.ComputerName != "" {
		return m.facts.ComputerName
	}
	return want.Name
}

func (s *subject) setCluster(c *guest.Cluster, no int) {
	if no < s.clusterNo {
		return
	}
	s.cluster, s.clusterNo = c, no
	if c != nil {
		s.known = c
	}
}

func (s *subject) setDirectory(d *guest.Directory, err error, asked *inventory.DirectoryQuestions, no int) {
	if no < s.directoryNo {
		return
	}
	s.directory, s.directoryAsked, s.directoryNo = d, asked, no
	// A wrong password is told as either: tried at every poll it would lock the account.
	class := hostagent.ClassOf(err)
	s.directoryClosed = class == hostagent.Unauthenticated || class == hostagent.Forbidden
	if err != nil {
		s.directoryTurn++
	}
}

// directoryAnswers reports whether what the domain told, or refused, is about what is asked now.
func (s *subject) directoryAnswers() bool {
	return s.want.Questions.Directory != nil && reflect.DeepEqual(s.directoryAsked, s.want.Questions.Directory)
}

func (s *subject) setValidation(v *guest.Validation, no int) {
	if no >= s.validationNo {
		s.validation, s.validationNo = v, no
	}
}

// validated reports whether the validation that is asked for has ended: then it stays as it is.
func (s *subject) validated() bool {
	q := s.want.Questions.Validation
	return q != nil && s.validation != nil && s.validation.ID == q.Run && s.validation.State != hyperv.WorkRunning
}

// publish makes what is known the snapshot, and reports whether it differs from the one before.
func (s *subject) publish() bool {
	next := s.snapshot()
	if next == nil || reflect.DeepEqual(s.latest, next) {
		return false
	}
	s.latest = next
	return true
}

// snapshot puts together what is known. It is nil before anything is.
func (s *subject) snapshot() *guest.Snapshot {
	next := &guest.Snapshot{Members: map[string]guest.Member{}, Cluster: s.cluster}
	for key, m := range s.members {
		if m.seen {
			facts := m.facts
			facts.ClusterSilent = m.mute && facts.Answered
			next.Members[key] = facts
		}
	}
	if s.latest == nil && len(next.Members) == 0 {
		return nil
	}
	if s.directoryAnswers() {
		next.Directory = s.directory
	}
	if q := s.want.Questions.Validation; q != nil && s.validation != nil && s.validation.ID == q.Run {
		next.Validation = s.validation
	}
	return next
}
