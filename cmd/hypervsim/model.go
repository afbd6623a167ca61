package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/pkg/hypervsim"
)

// readModel reads a host cluster from a file of YAML or JSON. What the file leaves out is as in the default model.
func readModel(path string) (hypervsim.Model, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return hypervsim.Model{}, fmt.Errorf("reading the model: %w", err)
	}
	m, err := parseModel(text)
	if err != nil {
		return hypervsim.Model{}, fmt.Errorf("reading the model from %s: %w", path, err)
	}
	return m, nil
}

func parseModel(text []byte) (hypervsim.Model, error) {
	file := struct {
		hypervsim.Model
		Durations map[string]any
	}{}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return hypervsim.Model{}, err
	}
	durations, err := parseDurations(file.Durations)
	if err != nil {
		return hypervsim.Model{}, err
	}
	m, byDefault := file.Model, hypervsim.DefaultModel()
	m.Durations = durations
	if m.ClusterName == "" {
		m.ClusterName = byDefault.ClusterName
	}
	if m.Hosts == nil {
		m.Hosts = byDefault.Hosts
	}
	if m.Volumes == nil {
		m.Volumes = byDefault.Volumes
	}
	if m.Images == nil {
		m.Images = byDefault.Images
	}
	if m.Domain.Name == "" {
		m.Domain, m.DomainSwitch, m.DomainDNS = byDefault.Domain, byDefault.DomainSwitch, byDefault.DomainDNS
	}
	if m.DHCP == nil {
		m.DHCP = byDefault.DHCP
	}
	return m, nil
}

// parseDurations reads durations as people write them, such as 1.5s or 4m.
func parseDurations(written map[string]any) (hypervsim.Durations, error) {
	durations := hypervsim.DefaultDurations()
	for name, v := range written {
		text, ok := v.(string)
		if !ok {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return durations, fmt.Errorf("durations.%s is %q; write it as 1.5s or 4m", name, text)
		}
		written[name] = d
	}
	encoded, err := json.Marshal(written)
	if err != nil {
		return durations, err
	}
	if err := yaml.UnmarshalStrict(encoded, &durations); err != nil {
		return durations, fmt.Errorf("durations: %w", err)
	}
	return durations, nil
}
