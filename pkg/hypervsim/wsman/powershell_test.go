package wsman_test

import (
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
	"guestclustering.io/operator/test/powershell"
)

func TestARealPowerShellRuns(t *testing.T) {
	config := plain()
	config.Program = wsman.PowerShell(powershell.Path(t), func(host string) []string { return []string{"FROM_HERE=" + host, "BOTH=ours"} })
	c := serve(t, config).raw(t)
	m := create()
	m.body = `<rsp:Shell><rsp:Environment><rsp:Variable Name="FROM_THERE">shell</rsp:Variable><rsp:Variable Name="BOTH">theirs</rsp:Variable>` +
		`<rsp:Variable Name="BAD=NAME">x</rsp:Variable></rsp:Environment></rsp:Shell>`
	shell := c.ok(m).Body.Shell.ShellId
	const program = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	const arguments = `-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -Command `

	t.Run("reads its input", func(t *testing.T) {
		command := c.begin(shell, program, arguments+`"$l = [Console]::In.ReadLine(); [Console]::Out.WriteLine(""$l $env:COMPUTERNAME $env:FROM_HERE $env:FROM_THERE $env:BOTH""); exit 7"`)
		c.ok(send(shell, command, "line\n", false))
		if out, problems, code := c.output(shell, command); out != "line HV01 HV01 shell ours\n" || problems != "" || code != "7" {
			t.Errorf("got %q, %q, %s", out, problems, code)
		}
	})
	t.Run("is killed", func(t *testing.T) {
		command := c.begin(shell, program, arguments+`"[Console]::Out.WriteLine('up'); [Threading.Thread]::Sleep(-1)"`)
		if r := c.ok(receive(shell, command, "PT60S")); !strings.HasSuffix(r.Body.ReceiveResponse.CommandState[0].State, "/Running") {
			t.Fatalf("it ended: %s", r.Text)
		}
		c.ok(signal(shell, command, "ctrl_c"))
		if _, _, code := c.output(shell, command); code != "3221225786" {
			t.Errorf("exit code %s", code)
		}
		c.ok(signal(shell, command, "terminate"))
	})
	t.Run("is another program", func(t *testing.T) {
		command := c.begin(shell, "ipconfig", "/all")
		if _, problems, code := c.output(shell, command); !strings.HasPrefix(problems, "'ipconfig' is not recognized") || code != "1" {
			t.Errorf("got %q, %s", problems, code)
		}
	})
	t.Run("has too long a line for a shell", func(t *testing.T) {
		m := begin(shell, program, arguments+strings.Repeat("x", 8192))
		m.options["WINRS_SKIP_CMD_SHELL"] = "FALSE"
		command := c.ok(m).Body.CommandResponse.CommandId
		if _, problems, code := c.output(shell, command); !strings.HasPrefix(problems, "The command line is too long") || code != "1" {
			t.Errorf("got %q, %s", problems, code)
		}
	})
	c.ok(remove(shell))
}

func TestAPowerShellThatIsNotThere(t *testing.T) {
	config := plain()
	config.Program = wsman.PowerShell("/nowhere/powershell", func(string) []string { return nil })
	c := serve(t, config).raw(t)
	shell := c.shell()
	if _, problems, code := c.output(shell, c.begin(shell, "powershell", "-Command", "x")); code != "1" || !strings.Contains(problems, "does not start") {
		t.Errorf("got %q, %s", problems, code)
	}
}
