// Package conformance holds drivers to the contract of pkg/hostagent. One suite runs on every driver: a driver's own
// tests give it a host to work on, and what the suite makes there it removes.
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(t *testing.T) conformance.Subject { ... })
//	}
//
// It asks the host only for cmdlets that the operator asks for, and judges answers by what Microsoft's documentation
// says of them. It says nothing of what a cmdlet does beyond that: this is about how batches travel.
package conformance

import (
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// Subject is a driver under test and the host behind it.
type Subject struct {
	Driver hostagent.Driver
	// Host answers; Absent is a name that no host has.
	Host, Absent string
	// Pool is a folder on a shared volume of the host's, in which the suite makes folders and disks.
	Pool string
	// Start is how long it takes until a batch runs that is sent, where a process is started for each.
	Start time.Duration
	// Slow makes the next call of the cmdlet on the host take so much longer, in real time, whether anybody waits for it
	// or not. nil when the host cannot be made to: what needs it is skipped.
	Slow func(t *testing.T, cmdlet string, by time.Duration)
}

// Factory makes a subject for one case, and registers with t what ends it.
type Factory func(t *testing.T) Subject

// cases by name; every one has a subject to itself.
var cases = map[string]func(*testing.T, Subject){
	"text":                   textGoesAndComesBack,
	"numbers and Booleans":   numbersGoAndComeBack,
	"lists":                  listsGoAndComeBack,
	"large answers":          largeAnswersCome,
	"live objects":           refsPassLiveObjects,
	"properties":             refsPassProperties,
	"lists of refs":          refsStandInLists,
	"selection":              onlyTheSelectionComes,
	"lists stay lists":       listsStayLists,
	"values beside errors":   valuesComeBesideErrors,
	"stop":                   stopLeavesTheRestNotRun,
	"continue":               continueRunsTheRest,
	"unknown cmdlets":        unknownCmdletsFail,
	"absent hosts":           absentHostsAreUnreachable,
	"any host":               anyHostAnswers,
	"batches that are wrong": wrongBatchesDoNothing,
	"secrets":                secretsAreNotEchoed,
	"logons":                 logonsAnswerAlike,
	"guests":                 guestBatchesTravel,
	"calls side by side":     callsRunSideBySide,
	"reading given up":       readingGivenUp,
	"changing given up":      changingGivenUp,
	"given up beforehand":    givenUpBeforehand,
	"opening waits":          openWaitsForEarlierWork,
	"sessions side by side":  sessionsAreApart,
}

// Run runs the suite.
func Run(t *testing.T, subject Factory) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, subject(t)) })
	}
}
