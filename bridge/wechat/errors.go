package wechat

import (
	"errors"
	"fmt"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/devices"
)

// Error is one failed API call. Its text holds no token, secret or openid.
type Error struct {
	API  string // the path behind /cgi-bin/
	Code int    // errcode; 0: no answer, or none that could be read, so the outcome is unknown
	Msg  string // errmsg without the request id, or what went wrong on the way
	Rid  string // WeChat's id of the request, to be looked up with its /openapi/rid/get

	wait  time.Duration // what is left of a pause; 0: the class says
	cause error         // context.DeadlineExceeded, context.Canceled, *http.MaxBytesError or nil
}

// Error tells what happened and, where somebody can do something, what to do.
func (e *Error) Error() string {
	text := fmt.Sprintf("wechat %s: %s", e.API, e.Msg)
	if e.Code != 0 {
		text = fmt.Sprintf("wechat %s: errcode %d: %s", e.API, e.Code, e.Msg)
	}
	if e.Rid != "" {
		text += " (rid " + e.Rid + ")"
	}
	if cure := e.Cure(); cure["en"] != "" {
		text += ". " + cure["en"] + " / " + cure["zh"]
	}
	return text
}

// Unwrap gives what ended the call on our side, if something did.
func (e *Error) Unwrap() error { return e.cause }

// Cure is what the operator can do about it, in zh and en; empty when there is nothing to do.
func (e *Error) Cure() devices.Text {
	class := classOf(e)
	if class.zh == "" {
		return nil
	}
	return devices.Text{"zh": class.zh, "en": class.en}
}

// staleToken says whether the access token is what was turned down.
func (e *Error) staleToken() bool {
	if e == nil {
		return false
	}
	switch e.Code {
	case 40001, 40014, 41001, 42001:
		return true
	}
	return false
}

// refusal is a message that we do not even send: WeChat would turn it down for certain.
type refusal string

func (r refusal) Error() string { return string(r) }

// classOf says what an error means for the next step. No error: accepted. No errcode: the outcome is unknown.
func classOf(err error) class {
	if err == nil {
		return class{Outcome: home.Accepted}
	}
	if _, ok := errors.AsType[refusal](err); ok {
		return class{Outcome: home.Refused}
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code == 0 {
		return class{Outcome: home.Retry, After: 2 * time.Second}
	}
	if c, ok := tokenClasses[e.Code]; ok && e.API == tokenAPI {
		return c
	}
	if c, ok := classes[e.Code]; ok {
		return c
	}
	return unlisted
}

// deliveryError gives an error the form that the bridge works with.
func deliveryError(err error) *bridge.DeliveryError {
	class := classOf(err)
	d := &bridge.DeliveryError{Outcome: class.Outcome, After: class.After, Err: err}
	if e, ok := errors.AsType[*Error](err); ok {
		d.Code = e.Code
		if e.wait > 0 {
			d.After = e.wait
		}
	}
	return d
}
