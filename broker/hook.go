package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

var errPanicked = errors.New("the handler panicked")

// hook is the only hook given to mochi: identity, access and ingest. (Of several, any one that says yes would open all.)
// Every method runs on the client's own reader, but for OnPacketEncode.
type hook struct {
	mochi.HookBase
	b *Embedded
}

// ID names the hook to mochi.
func (h *hook) ID() string { return "jiaxin" }

// Provides tells mochi which methods to call.
func (h *hook) Provides(m byte) bool {
	return bytes.IndexByte([]byte{
		mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablish, mochi.OnSessionEstablished,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnSubscribe, mochi.OnSubscribed, mochi.OnUnsubscribed, mochi.OnPublish,
	}, m) >= 0
}

func sessionOf(cl *mochi.Client) *session { return cl.Net.Conn.(*conn).session }

// OnConnect lets a client in or refuses it, telling it no more than "not authorized" about its identity.
func (h *hook) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	s := sessionOf(cl)
	reason, code, err := h.identify(s, pk)
	if err == nil {
		h.prepare(cl, pk)
		s.client = cl
		return nil
	}
	s.refused = true
	h.b.refuse(s.conn, reason, "mqtt client refused", "client", clip(pk.Connect.ClientIdentifier), "error", err)
	if pk.ProtocolVersion < 5 && code != packets.ErrServerUnavailable {
		code = packets.ErrBadUsernameOrPassword // becomes 5, not authorized (MQTT 3.1.1 §3.2.2.3)
	}
	_ = h.b.mqtt.SendConnack(cl, code, false, nil) // it is being closed either way
	return code
}

func (h *hook) identify(s *session, pk packets.Packet) (reason string, code packets.Code, err error) {
	if pk.Properties.AuthenticationMethod != "" {
		return refusedAuth, packets.ErrBadAuthenticationMethod, errors.New("enhanced authentication is not offered")
	}
	ctx, cancel := context.WithDeadline(context.Background(), s.deadline)
	defer cancel()
	id := pk.Connect.ClientIdentifier
	grant, err := h.b.o.Authenticator.Authenticate(ctx, id, string(pk.Connect.Username), pk.Connect.Password)
	if err != nil {
		return refusedAuth, packets.ErrNotAuthorized, err
	}
	if grant.ID != id || id == "" {
		return refusedIdentity, packets.ErrNotAuthorized, errors.New("the credential belongs to another client id")
	}
	if code, err := checkWill(pk.Connect, grant); err != nil {
		return refusedWill, code, err
	}
	if !h.b.door.prove(s.conn) {
		return refusedAddress, packets.ErrServerUnavailable, errors.New("too many devices of its address are connected")
	}
	s.grant = grant
	return "", packets.CodeSuccess, nil
}

func checkWill(c packets.ConnectParams, g Grant) (packets.Code, error) {
	switch {
	case !c.WillFlag:
		return packets.CodeSuccess, nil
	case g.Status == "" || c.WillTopic != g.Status:
		return packets.ErrNotAuthorized, fmt.Errorf("will on %q: only the client's own status topic is allowed", clip(c.WillTopic))
	case c.WillRetain:
		return packets.ErrRetainNotSupported, errors.New("retained will: retain is not offered")
	case c.WillQos > 1:
		return packets.ErrQosNotSupported, errors.New("will with QoS 2: use 0 or 1")
	}
	return packets.CodeSuccess, nil
}

// prepare forgets the will, whose content says nothing that the connection does not, and bounds the keep-alive.
func (h *hook) prepare(cl *mochi.Client, pk packets.Packet) {
	cl.Properties.Will = mochi.Will{}
	asked := time.Duration(pk.Connect.Keepalive) * time.Second
	given := min(max(asked, h.b.o.KeepaliveMin), h.b.o.KeepaliveMax)
	if asked == 0 {
		given = h.b.o.KeepaliveMax
	}
	cl.State.Keepalive = uint16(given / time.Second)
	cl.State.ServerKeepalive = given != asked // mochi tells MQTT 5 clients
}

// OnConnectAuthenticate is asked after OnConnect, which has decided.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, _ packets.Packet) bool {
	return sessionOf(cl).client == cl
}

// OnSessionEstablish takes over from the client's previous connection and waits until that has ended.
func (h *hook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	s := sessionOf(cl)
	if prior := h.b.registry.enter(s); prior != nil {
		h.b.sendOff(prior, packets.ErrSessionTakenOver)
		<-prior.ended
	}
}

// OnSessionEstablished follows the CONNACK: the client is online.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	s := sessionOf(cl)
	h.b.registry.arrive(s, func() { h.b.presence(s, true) })
	h.b.o.Logger.Debug("mqtt client connected", "client", s.grant.ID, "remote", cl.Net.Remote)
}

// OnPacketEncode tells an MQTT 5 client, in the CONNACK, what is not on offer (§3.2.2.3).
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode == packets.CodeSuccess.Code {
		p := &pk.Properties
		p.MaximumQos, p.MaximumQosFlag = 1, true
		p.RetainAvailableFlag, p.WildcardSubAvailableFlag = true, true // each with the value 0: not available
		p.SubIDAvailableFlag, p.SharedSubAvailableFlag = true, true
		p.MaximumPacketSize = uint32(h.b.o.MaxPacketBytes)
	}
	return pk
}

// OnPacketRead ends a connection that publishes to the broker's own names, which mochi would pass over in silence.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && strings.HasPrefix(pk.TopicName, "$") {
		h.expel(sessionOf(cl), refusedTopic, packets.ErrTopicNameInvalid, "publish to a topic that starts with $")
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// expel ends the session of a client that did what it may not.
func (h *hook) expel(s *session, reason string, code packets.Code, why string) {
	s.refused = true
	h.b.refuse(s.conn, reason, "mqtt client disconnected", "client", s.grant.ID, "error", why)
	h.b.sendOff(s, code)
}

// OnACLCheck answers for subscriptions; publishes are decided in OnPublish, where a refusal can be acknowledged.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if write {
		return true
	}
	s := sessionOf(cl)
	for _, t := range s.grant.Subscribe {
		if t == topic && !strings.ContainsAny(topic, "+#") {
			return true
		}
	}
	h.b.refuse(s.conn, refusedSubscribe, "mqtt subscription refused", "client", s.grant.ID, "topic", clip(topic))
	return false
}

// OnSubscribe grants QoS 0, with which everything is sent.
func (h *hook) OnSubscribe(_ *mochi.Client, pk packets.Packet) packets.Packet {
	for i := range pk.Filters {
		pk.Filters[i].Qos = 0
	}
	return pk
}

// OnSubscribed notes the subscriptions that were granted.
func (h *hook) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	for i, f := range pk.Filters {
		if codes[i] == packets.CodeGrantedQos0.Code {
			sessionOf(cl).subscribe(f.Filter)
		}
	}
}

// OnUnsubscribed forgets them.
func (h *hook) OnUnsubscribed(cl *mochi.Client, pk packets.Packet) {
	for _, f := range pk.Filters {
		sessionOf(cl).unsubscribe(f.Filter)
	}
}

// OnPublish takes a publish in. It always returns ErrRejectPacket: mochi is to acknowledge and forward nothing, and of
// all returns only this one is safe on failure (any other error is acknowledged). The PUBACK is the session's.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	s, qos := sessionOf(cl), pk.FixedHeader.Qos
	h.b.meter.byQoS[qos].Inc()
	if qos > 1 {
		h.expel(s, refusedQoS2, packets.ErrQosNotSupported, "publish with QoS 2: use 0 or 1")
		return pk, packets.ErrRejectPacket
	}
	if pk.FixedHeader.Retain {
		h.b.meter.refuse(refusedRetain)
	}
	h.take(s, pk)
	return pk, packets.ErrRejectPacket
}

func (h *hook) take(s *session, pk packets.Packet) {
	r := &receipt{id: pk.PacketID, size: len(pk.Payload) + len(pk.TopicName) + messageOverhead}
	topic, allowed := s.mayPublish(pk.TopicName)
	presence := pk.TopicName == s.grant.Status
	if !allowed && !presence {
		h.b.refuse(s.conn, refusedTopic, "mqtt publish refused", "client", s.grant.ID, "topic", clip(pk.TopicName))
		if pk.ProtocolVersion == 5 {
			r.code = packets.ErrNotAuthorized.Code
		}
	}
	if !h.b.queue.take(r.size, s.conn.over) {
		return
	}
	if !s.admit(r) {
		h.b.queue.give(r.size)
		return
	}
	h.b.meter.queued.Add(float64(r.size))
	if presence || !allowed {
		s.settle(r, nil)
		return
	}
	h.hand(s, r, Message{Client: s.grant.ID, Topic: topic, Payload: pk.Payload, QoS: pk.FixedHeader.Qos})
}

// hand gives the message to the Handler.
func (h *hook) hand(s *session, r *receipt, m Message) {
	handed := false
	defer func() {
		if !handed { // it panics: whoever contains that ends the connection
			s.settle(r, errPanicked)
		}
	}()
	h.b.o.Handler.Handle(m, func(err error) {
		if s.settle(r, err) {
			h.b.meter.refuse(refusedStorage)
			h.b.journal.write(slog.LevelWarn, "mqtt publish not kept; its client is disconnected and will send it again",
				"client", m.Client, "topic", m.Topic, "error", err)
			h.b.sendOff(s, packets.ErrServerBusy)
		}
	})
	handed = true
}
