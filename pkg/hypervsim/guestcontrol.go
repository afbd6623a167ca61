package hypervsim

// The methods here are what people do inside guests behind the operator's back. Machines are named by id or name.

// onWindows does something to the Windows in a machine that is up.
func (w *World) onWindows(vm string, do func(*machine) (string, error)) error {
	return w.onRunning(vm, func(m *machine) (string, error) {
		if m.guest.phase != guestUp {
			return "", wrongState(m, "Windows is not up in "+m.name+": this")
		}
		return do(m)
	})
}

// RestartGuest restarts Windows in a machine, as its user does.
func (w *World) RestartGuest(vm string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		w.restartGuest(m)
		return "restarting Windows in VM " + m.name, nil
	})
}
