package forward

import (
	_ "embed" // the scripts of the modules
	"fmt"
	"html"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/hypervsim"
)

// common is the module that all stubs use, namespace that of the types that it makes.
const (
	common    = "Simulator"
	namespace = "Simulated"
	body      = "process { Invoke-Simulated $PSCmdlet $PSBoundParameters }"
)

// direct is PowerShell Direct, which the cmdlet of the engine itself has on Windows.
const direct = `function Invoke-Command {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [guid] $VMId,
        [Parameter(Mandatory = $true)] [pscredential] $Credential,
        [Parameter(Mandatory = $true)] [scriptblock] $ScriptBlock,
        [object[]] $ArgumentList
    )
    Invoke-SimulatedGuest $PSCmdlet $PSBoundParameters
}
`

//go:embed simulator.psm1
var simulator string

//go:embed types.ps1
var typesScript string

// Modules writes the modules that a host of that Windows build has, as far as they are simulated, into a directory for
// PSModulePath.
func Modules(dir string, build int) error {
	stubs, err := surface.StubsByModule(build, body, namespace)
	if err != nil {
		return err
	}
	files := map[string]string{
		common + ".psm1":         simulator,
		common + ".types.ps1xml": typeData(),
		"types.ps1":              typeTables() + typesScript,
		common + ".psd1": "@{ ModuleVersion = '1.0'; RootModule = '" + common + ".psm1'; TypesToProcess = '" + common + ".types.ps1xml'\n" +
			"    FunctionsToExport = 'Invoke-Simulated', 'Get-SimulatedProperty', 'Set-SimulatedProperty', 'Invoke-SimulatedGuest', 'Receive-SimulatedBlock'; CmdletsToExport = @(); AliasesToExport = @() }\n",
	}
	if err := writeModule(dir, common, files); err != nil {
		return err
	}
	for _, s := range stubs {
		if s.Module == "Hyper-V" && build >= hyperv.Build2016 {
			s.Functions = append(s.Functions, "Invoke-Command")
			s.Text += direct
		}
		manifest := fmt.Sprintf("@{ ModuleVersion = '2.0'; RootModule = '%s.psm1'; RequiredModules = '%s'\n    FunctionsToExport = '%s'; CmdletsToExport = @(); AliasesToExport = @() }\n",
			s.Module, common, strings.Join(s.Functions, "', '"))
		if err := writeModule(dir, s.Module, map[string]string{s.Module + ".psm1": s.Text, s.Module + ".psd1": manifest}); err != nil {
			return err
		}
	}
	return nil
}

func writeModule(dir, name string, files map[string]string) error {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the modules of simulated hosts: %w", err)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(files[file]), 0o644); err != nil {
			return fmt.Errorf("making the modules of simulated hosts: %w", err)
		}
	}
	return nil
}

// typeTables lists the types for types.ps1: classes that live objects have and the stubs have no parameters of, too.
func typeTables() string {
	var enums, classes strings.Builder
	known := map[string]bool{}
	for _, t := range surface.StubTypes() {
		known[t.Name] = true
		if t.Values != nil {
			fmt.Fprintf(&enums, "    %s = @('%s')\n", t.Name, strings.Join(t.Values, "', '"))
			continue
		}
		fmt.Fprintf(&classes, "    , @('%s', '%s')\n", t.Name, t.Base)
	}
	for _, class := range slices.Sorted(maps.Keys(hypervsim.Classes())) {
		if !known[class] {
			fmt.Fprintf(&classes, "    , @('%s', '')\n", class)
		}
	}
	return "$enums = @{\n" + enums.String() + "}\n$classes = @(\n" + classes.String() + ")\n"
}

// typeData gives the classes their properties, which ask the world. What it does not simulate is null.
func typeData() string {
	simulated := hypervsim.Classes()
	documented := map[string]map[string]string{}
	for _, t := range surface.StubTypes() {
		documented[t.Name] = map[string]string{}
		for _, property := range t.Properties {
			documented[t.Name][strings.ToLower(property)] = property
		}
	}
	var text strings.Builder
	text.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Types>\n")
	for _, class := range slices.Sorted(maps.Keys(simulated)) {
		fmt.Fprintf(&text, "<Type><Name>%s.%s</Name><Members>\n", namespace, class)
		names := map[string]string{}
		maps.Copy(names, documented[class])
		for _, name := range simulated[class] {
			if names[name] == "" {
				names[name] = name
			}
		}
		for _, lower := range slices.Sorted(maps.Keys(names)) {
			writeProperty(&text, class, names[lower], slices.Contains(simulated[class], lower))
		}
		text.WriteString("</Members></Type>\n")
	}
	text.WriteString("</Types>\n")
	return text.String()
}

// settable are the properties that named functions set, by class.
var settable = map[string][]string{
	"ClusterGroup": {"AntiAffinityClassNames"}, "ClusterResource": {"Name"}, "ClusterNetwork": {"Name", "Role"},
	"Cluster": {"SameSubnetThreshold", "CrossSubnetThreshold"},
}

func writeProperty(text *strings.Builder, class, name string, isSimulated bool) {
	if !isSimulated {
		fmt.Fprintf(text, "<ScriptProperty><Name>%s</Name><GetScriptBlock>$null</GetScriptBlock></ScriptProperty>\n", name)
		return
	}
	fmt.Fprintf(text, "<ScriptProperty><Name>%s</Name><GetScriptBlock>%s</GetScriptBlock>", name,
		html.EscapeString("Get-SimulatedProperty $this '"+strings.ToLower(name)+"'"))
	if slices.ContainsFunc(settable[class], func(s string) bool { return strings.EqualFold(s, name) }) {
		fmt.Fprintf(text, "<SetScriptBlock>Set-SimulatedProperty $this '%s' $args[0]</SetScriptBlock>", name)
	}
	text.WriteString("</ScriptProperty>\n")
}
