package wire

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"
)

// maxHandshakeFrame bounds the frames of the handshake. A registration payload,
// the largest thing in it, is about one kilobyte.
const maxHandshakeFrame = 1 << 16

var (
	errNoClientHello  = errors.New("the first frame is no ClientHello with an ephemeral key of 32 bytes")
	errNoClientFinish = errors.New("the second frame is no ClientFinish with static key and payload")
)

// handshake is the server's half of Noise XX between ServerHello and
// ClientFinish.
type handshake struct {
	transcript *symmetric
	ephemeral  *ecdh.PrivateKey
}

// session is what a finished handshake leaves behind.
type session struct {
	receive, send sealer
	clientStatic  [keySize]byte
	payload       *waWa6.ClientPayload
}

// answerHello reads the ClientHello frame and makes the ServerHello body.
//
// A ClientHello that also carries a static key tries to resume (Noise IK) with
// a server key it remembers. A ServerHello that carries a static key declines,
// and both sides go on as XXfallback: the same messages under another name.
func answerHello(id *Identity, prologue intro, hello []byte) (*handshake, []byte, error) {
	clientEphemeral, resuming, err := parseHello(hello)
	if err != nil {
		return nil, nil, err
	}
	name := noiseXX
	if resuming {
		name = noiseFallback
	}
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make ephemeral key: %w", err)
	}
	h := &handshake{transcript: newSymmetric(name, prologue), ephemeral: ephemeral}
	message, err := h.hello(id, clientEphemeral)
	if err != nil {
		return nil, nil, err
	}
	body, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: message})
	if err != nil {
		return nil, nil, fmt.Errorf("encode ServerHello: %w", err)
	}
	return h, body, nil
}

// hello runs the tokens e, ee, s, es and seals the certificate as the payload.
func (h *handshake) hello(id *Identity, client *ecdh.PublicKey) (*waWa6.HandshakeMessage_ServerHello, error) {
	public := h.ephemeral.PublicKey().Bytes()
	h.transcript.mixHash(client.Bytes())
	h.transcript.mixHash(public)
	if err := h.transcript.mixKey(h.ephemeral, client); err != nil {
		return nil, fmt.Errorf("mix ephemeral keys: %w", err)
	}
	static, err := h.transcript.seal(id.static.PublicKey().Bytes())
	if err != nil {
		return nil, fmt.Errorf("seal static key: %w", err)
	}
	if err := h.transcript.mixKey(id.static, client); err != nil {
		return nil, fmt.Errorf("mix static key: %w", err)
	}
	chain, err := h.transcript.seal(id.chain)
	if err != nil {
		return nil, fmt.Errorf("seal certificate: %w", err)
	}
	return &waWa6.HandshakeMessage_ServerHello{Ephemeral: public, Static: static, Payload: chain}, nil
}

// finish reads the ClientFinish frame: the tokens s, se and the client's payload.
func (h *handshake) finish(frame []byte) (*session, error) {
	sealedStatic, sealedPayload, err := parseFinish(frame)
	if err != nil {
		return nil, err
	}
	static, err := h.transcript.open(sealedStatic)
	if err != nil {
		return nil, fmt.Errorf("client static key: %w", err)
	}
	client, err := ecdh.X25519().NewPublicKey(static)
	if err != nil {
		return nil, fmt.Errorf("client static key of %d bytes: %w", len(static), err)
	}
	if err := h.transcript.mixKey(h.ephemeral, client); err != nil {
		return nil, fmt.Errorf("mix client static key: %w", err)
	}
	plain, err := h.transcript.open(sealedPayload)
	if err != nil {
		return nil, fmt.Errorf("client payload: %w", err)
	}
	payload := &waWa6.ClientPayload{}
	if err := proto.Unmarshal(plain, payload); err != nil {
		return nil, fmt.Errorf("decode client payload: %w", err)
	}
	s := &session{clientStatic: [keySize]byte(static), payload: payload}
	if s.receive, s.send, err = h.transcript.split(); err != nil {
		return nil, err
	}
	return s, nil
}

func parseHello(frame []byte) (ephemeral *ecdh.PublicKey, resuming bool, err error) {
	var message waWa6.HandshakeMessage
	if err := proto.Unmarshal(frame, &message); err != nil {
		return nil, false, fmt.Errorf("decode ClientHello: %w", err)
	}
	hello := message.GetClientHello()
	if len(hello.GetEphemeral()) != keySize {
		return nil, false, errNoClientHello
	}
	ephemeral, err = ecdh.X25519().NewPublicKey(hello.GetEphemeral())
	if err != nil {
		return nil, false, fmt.Errorf("client ephemeral key: %w", err)
	}
	return ephemeral, len(hello.GetStatic()) > 0, nil
}

func parseFinish(frame []byte) (static, payload []byte, err error) {
	var message waWa6.HandshakeMessage
	if err := proto.Unmarshal(frame, &message); err != nil {
		return nil, nil, fmt.Errorf("decode ClientFinish: %w", err)
	}
	finish := message.GetClientFinish()
	if len(finish.GetStatic()) != keySize+tagSize || len(finish.GetPayload()) < tagSize {
		return nil, nil, errNoClientFinish
	}
	return finish.GetStatic(), finish.GetPayload(), nil
}
