package forward

import (
	"os"
	"path/filepath"
)

// Environment is the whole environment of the shell's process.
func (s *Shell) Environment() []string {
	environment := []string{
		"PSModulePath=" + s.modules,
		"PSModuleAnalysisCachePath=" + filepath.Join(s.modules, "analysis"),
		"COMPUTERNAME=" + s.computer,
		`ProgramData=C:\ProgramData`,
		`SystemRoot=C:\Windows`,
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
