package windows

import (
	"maps"
	"slices"
	"strings"
)

// FeatureState is the InstallState of a role or feature ("Get-WindowsFeature").
type FeatureState string

const (
	// Available: it can be installed.
	Available FeatureState = "Available"
	// Installed: it is installed and works.
	Installed FeatureState = "Installed"
	// InstallPending: it works after a restart.
	InstallPending FeatureState = "InstallPending"
)

// The features that calls are about.
const (
	FailoverClustering = "Failover-Clustering"
	ClusterPowerShell  = "RSAT-Clustering-PowerShell"
	ADPowerShell       = "RSAT-AD-PowerShell"
	FileServer         = "FS-FileServer"
)

// features are those that there are, with the management tools that come with each where they are asked for.
var features = map[string][]string{
	FailoverClustering:        {"RSAT-Clustering", "RSAT-Clustering-Mgmt", ClusterPowerShell},
	"RSAT-Clustering":         nil,
	"RSAT-Clustering-Mgmt":    nil,
	ClusterPowerShell:         nil,
	ADPowerShell:              nil,
	FileServer:                nil,
	"FS-DFS-Namespace":        nil,
	"FileAndStorage-Services": nil,
	"Storage-Services":        nil,
	"DHCP":                    nil,
}

// inImage are the features that every image has.
var inImage = []string{"FileAndStorage-Services", "Storage-Services"}

// FeatureNamed gives a feature's name as Windows writes it; there may be none.
func FeatureNamed(name string) (string, bool) {
	for known := range features {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}

// FeatureNames are all that there are, in order.
func FeatureNames() []string { return slices.Sorted(maps.Keys(features)) }

// Feature is the state of a feature that there is.
func (s *System) Feature(name string) FeatureState {
	if state, ok := s.Features[name]; ok {
		return state
	}
	if slices.Contains(inImage, name) {
		return Installed
	}
	return Available
}

// InstalledFeatures are the names of those that are installed, in order.
func (s *System) InstalledFeatures() []string {
	return slices.DeleteFunc(FeatureNames(), func(name string) bool { return s.Feature(name) != Installed })
}

// Install installs features that there are, with their management tools where those are asked for. It tells what is new and
// whether a restart is wanted.
func (s *System) Install(names []string, tools bool) (installed []string, restart bool) {
	for _, name := range names {
		wanted := []string{name}
		if tools {
			wanted = append(wanted, features[name]...)
		}
		for _, w := range wanted {
			if s.Feature(w) != Available {
				restart = restart || s.Feature(w) == InstallPending
				continue
			}
			s.Features[w] = Installed
			if slices.Contains(s.restartFor, w) {
				s.Features[w], restart = InstallPending, true
			}
			installed = append(installed, w)
		}
	}
	return installed, restart
}

// RemoveFeature takes a feature away.
func (s *System) RemoveFeature(name string) {
	s.Features[name] = Available
	if name == FailoverClustering {
		s.ClusterService = Service{Disabled: true}
	}
}
