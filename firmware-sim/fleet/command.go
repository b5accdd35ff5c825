package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jiaxin/devices"
)

// The codes of a devices.Reply that an appliance gives.
const (
	codeDone    = 0
	codeUnknown = 2
	codeExpired = 3
)

// The bounds of what is taken from the network. A gateway's command is far below them.
const (
	maxCommand  = 16 << 10 // bytes
	maxID       = 128      // bytes
	rememberIDs = 128      // commands whose replies are kept, to answer a repetition
)

// orders obeys commands: each id is done once, and a repetition gets the same answer again. It remembers the last
// rememberIDs replies, since a gateway repeats a command only until that command expires.
type orders struct {
	replies map[string]devices.Reply
	oldest  []string
}

// obey carries out one command and returns the reply, and what the appliance then says. A command that was done
// before is answered and not done again; one that is too late or makes no sense is answered and not done.
func (o *orders) obey(m *machine, c devices.Command, now time.Time) (devices.Reply, []output) {
	if r, ok := o.replies[c.ID]; ok {
		return r, nil
	}
	r := devices.Reply{ID: c.ID}
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		r.Code, r.Message = codeExpired, "it came too late: it expired at "+c.Expires.Format(time.RFC3339)
	} else if err := check(m.model, c); err != nil {
		r.Code, r.Message = codeUnknown, err.Error()
	}
	o.remember(r)
	if r.Code != codeDone {
		return r, nil
	}
	if c.Do != "" {
		return r, m.do(c.Do, c.With, now)
	}
	return r, m.set(c.Set, now)
}

func (o *orders) remember(r devices.Reply) {
	if o.replies == nil {
		o.replies = map[string]devices.Reply{}
	}
	if len(o.oldest) >= rememberIDs {
		delete(o.replies, o.oldest[0])
		o.oldest = o.oldest[1:]
	}
	o.replies[r.ID] = r
	o.oldest = append(o.oldest, r.ID)
}

func check(model *devices.Model, c devices.Command) error {
	switch {
	case c.Do != "" && len(c.Set) > 0:
		return errors.New("a command either sets or does, not both")
	case c.Do != "":
		return model.CheckDo(c.Do, c.With)
	case len(c.Set) > 0:
		return model.CheckSet(c.Set)
	}
	return errors.New("the command neither sets nor does anything")
}

// readCommand decodes a down/command payload. One without an id cannot be answered and is an error.
func readCommand(payload []byte) (devices.Command, error) {
	var c devices.Command
	if len(payload) > maxCommand {
		return c, fmt.Errorf("a command of %d bytes is longer than %d", len(payload), maxCommand)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, fmt.Errorf("not a command: %w", err)
	}
	if c.ID == "" || len(c.ID) > maxID {
		return c, fmt.Errorf("a command's id has 1 to %d bytes, this one has %d", maxID, len(c.ID))
	}
	return c, nil
}
