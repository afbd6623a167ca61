package windows

// JoinPending is whether a join waits for the restart that completes it.
func (s *System) JoinPending() bool { return s.joining != nil }
