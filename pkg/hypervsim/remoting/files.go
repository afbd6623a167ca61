package remoting

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// A listed is a host as hosts.yaml lists it, in the form of a HostCluster's spec.agent.winRM.hosts.
type listed struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// write writes what clients need: ca.crt, by which the hosts' certificates are verified; username and password; client.crt
// and client.key, with which one logs on instead; hosts.yaml, and hosts-http.yaml for plain HTTP.
func (k *keys) write(dir string, hosts []*host) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for what clients need: %w", err)
	}
	certificate, key, err := wsman.EncodePEM(k.client)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"ca.crt": k.authority.PEM(), "username": []byte(user), "password": []byte(k.password), "client.crt": certificate, "client.key": key,
	}
	for name, port := range map[string]func(*host) int{"hosts.yaml": func(h *host) int { return h.https }, "hosts-http.yaml": func(h *host) int { return h.http }} {
		var list []listed
		for _, h := range hosts {
			if port(h) != 0 {
				list = append(list, listed{h.name, "127.0.0.1", port(h)})
			}
		}
		if files[name], err = yaml.Marshal(list); err != nil {
			return fmt.Errorf("listing the hosts: %w", err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("writing what clients need: %w", err)
		}
	}
	return nil
}
