package forward

import (
	"os"
	"path/filepath"
)

// Environment is the whole environment of a shell's process, with the modules in dir.
func (s *Shell) Environment(dir string) []string {
	environment := []string{
		"PSModulePath=" + dir,
		"PSModuleAnalysisCachePath=" + filepath.Join(dir, "analysis"),
		"COMPUTERNAME=" + s.host,
		"HYPERVSIM_FORWARD=" + s.server.base + "/" + s.token,
		"POWERSHELL_TELEMETRY_OPTOUT=1",
	}
	for _, name := range []string{"HOME", "PATH", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}
