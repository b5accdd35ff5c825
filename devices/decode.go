package devices

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxPayload is the longest payload that is decoded, in bytes. Devices are strangers: what they send is flat, typed, known
// to their model and given once, or it is an error that names the key.
const MaxPayload = 16 << 10

// DecodeProperties reads an up/property payload: known properties with values of their kind.
func DecodeProperties(m *Model, payload []byte) (map[string]any, error) {
	return decodeValues(payload, m.Properties, "property")
}

// DecodeEvent reads an up/event payload: an event of the model, with the fields that the model declares for it. A device
// without a clock leaves "at" out; it is the zero time then. With an error it still returns the ID, if there is one: the device
// must be told that this event will never be taken.
func DecodeEvent(m *Model, payload []byte) (e EventReport, err error) {
	var fields jsontext.Value
	err = decode(payload, func(o *object, key string) (err error) {
		switch key {
		case "id":
			e.ID, err = o.id(key)
		case "event":
			e.Event, err = o.text(key)
		case "at":
			e.At, err = o.time(key)
		case "fields":
			fields, err = o.raw(key)
		default:
			err = unknown("key", key, []string{"id", "event", "at", "fields"})
		}
		return err
	})
	if err != nil {
		return EventReport{ID: e.ID}, err
	}
	if e.Fields, err = e.checked(m, fields); err != nil {
		return EventReport{ID: e.ID}, err
	}
	return e, nil
}

func (e EventReport) checked(m *Model, fields jsontext.Value) (map[string]any, error) {
	event, ok := m.Event(e.Event)
	if !ok {
		return nil, unknown("event", e.Event, m.eventKeys())
	}
	if e.ID == "" {
		return nil, errors.New(`"id" is missing`)
	}
	if fields == nil {
		return nil, nil
	}
	return decodeValues(fields, event.Fields, "field")
}

// DecodeReply reads an up/reply payload.
func DecodeReply(payload []byte) (r Reply, err error) {
	hasCode := false
	err = decode(payload, func(o *object, key string) (err error) {
		switch key {
		case "id":
			r.ID, err = o.id(key)
		case "code":
			r.Code, err = o.integer(key)
			hasCode = true
		case "message":
			r.Message, err = o.text(key)
		default:
			err = unknown("key", key, []string{"id", "code", "message"})
		}
		return err
	})
	switch {
	case err != nil:
		return Reply{}, err
	case r.ID == "" || !hasCode:
		return Reply{}, errors.New(`a reply needs "id" and "code"`)
	}
	return r, nil
}

// DecodeStatus reads an up/status payload.
func DecodeStatus(payload []byte) (s Status, err error) {
	has := false
	err = decode(payload, func(o *object, key string) (err error) {
		if key != "online" {
			return unknown("key", key, []string{"online"})
		}
		has = true
		s.Online, err = o.bool(key)
		return err
	})
	switch {
	case err != nil:
		return Status{}, err
	case !has:
		return Status{}, errors.New(`a status needs "online"`)
	}
	return s, nil
}

// decodeValues reads an object of values, of which each must be one of the properties.
func decodeValues(payload []byte, known []Property, what string) (map[string]any, error) {
	out := map[string]any{}
	err := decode(payload, func(o *object, key string) error {
		p, ok := findProperty(known, key)
		if !ok {
			return unknown(what, key, propertyKeys(known))
		}
		v, err := o.scalar(key)
		if err == nil {
			err = p.Check(v)
		}
		out[key] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// object is one JSON object being read, token by token: its memory is bounded by the payload's size, and doubled keys,
// of which two readers could take different ones, are seen.
type object struct {
	json *jsontext.Decoder
	seen []string // few: the first key that is not known ends the reading
}

func decode(payload []byte, field func(o *object, key string) error) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("the payload has %d bytes, more than %d", len(payload), MaxPayload)
	}
	if !utf8.Valid(payload) {
		return errors.New("the payload is not UTF-8")
	}
	o := &object{json: jsontext.NewDecoder(bytes.NewBuffer(payload), jsontext.AllowDuplicateNames(true))}
	if err := o.fields(field); err != nil {
		return err
	}
	if _, err := o.json.ReadToken(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}

func (o *object) fields(field func(o *object, key string) error) error {
	if t, err := o.json.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.New("the payload is not a JSON object")
	}
	for o.json.PeekKind() != '}' {
		t, err := o.json.ReadToken()
		if err != nil {
			return errors.New("the payload is not valid JSON")
		}
		key := t.String()
		if slices.Contains(o.seen, key) {
			return fmt.Errorf("%q is given twice", clip(key))
		}
		o.seen = append(o.seen, key)
		if err := field(o, key); err != nil {
			return err
		}
	}
	if _, err := o.json.ReadToken(); err != nil {
		return errors.New("the payload is not valid JSON")
	}
	return nil
}

// scalar returns a string, float64 or bool.
func (o *object) scalar(key string) (any, error) {
	t, err := o.json.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("the value of %q is not valid JSON", clip(key))
	}
	switch t.Kind() {
	case '"':
		return t.String(), nil
	case 't', 'f':
		return t.Bool(), nil
	case '0':
		return parseNumber(key, t.String())
	}
	return nil, fmt.Errorf("%q must be a single value: no null, list or object", clip(key))
}

func parseNumber(key, literal string) (any, error) {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is too large a number", clip(key))
	}
	return f, nil
}

func (o *object) text(key string) (string, error) {
	v, err := o.scalar(key)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%q must be a text", key)
	}
	return s, checkText(key, s)
}

func (o *object) bool(key string) (bool, error) {
	v, err := o.scalar(key)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%q must be true or false", key)
	}
	return b, nil
}

func (o *object) integer(key string) (int, error) {
	v, err := o.scalar(key)
	if err != nil {
		return 0, err
	}
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > maxNumber {
		return 0, fmt.Errorf("%q must be a whole number", key)
	}
	return int(f), nil
}

func (o *object) time(key string) (time.Time, error) {
	s, err := o.text(key)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q must be a time such as 2006-01-02T15:04:05+08:00", key)
	}
	return t, nil
}

// id returns 1 to 64 visible ASCII characters: ids become keys in the store and words in logs.
func (o *object) id(key string) (string, error) {
	s, err := o.text(key)
	if err != nil {
		return "", err
	}
	visible := len(s) >= 1 && len(s) <= 64
	for i := range len(s) {
		visible = visible && s[i] > ' ' && s[i] < 0x7f
	}
	if !visible {
		return "", fmt.Errorf("%q must be 1 to 64 visible ASCII characters, not %s", key, strconv.Quote(clip(s)))
	}
	return s, nil
}

// raw returns a value unread, to be read once the other keys are known.
func (o *object) raw(key string) (jsontext.Value, error) {
	raw, err := o.json.ReadValue()
	if err != nil {
		return nil, fmt.Errorf("the value of %q is not valid JSON", clip(key))
	}
	return slices.Clone(raw), nil
}
