package wire

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"google.golang.org/protobuf/proto"
)

// Serials of the chain. The root's is fixed by the clients
// (whatsmeow.WACertIssuerSerial); the others only have to link up.
const (
	rootSerial         = 0
	intermediateSerial = 1
	leafSerial         = 2
)

// issueChain makes the certificate chain that a ServerHello carries: the root
// certifies the intermediate key, the intermediate certifies the server's.
// Clients check both validity periods against their own clock, in whole seconds.
func issueChain(root, intermediate *ecdh.PrivateKey, server *ecdh.PublicKey, from, until time.Time) ([]byte, error) {
	details := func(serial, issuer uint32, key *ecdh.PublicKey) *waCert.CertChain_NoiseCertificate_Details {
		return &waCert.CertChain_NoiseCertificate_Details{
			Serial:       proto.Uint32(serial),
			IssuerSerial: proto.Uint32(issuer),
			Key:          key.Bytes(),
			NotBefore:    proto.Uint64(uint64(max(from.Unix(), 0))),
			NotAfter:     proto.Uint64(uint64(max(until.Unix(), 0))),
		}
	}
	middle, err := issue(root, details(intermediateSerial, rootSerial, intermediate.PublicKey()))
	if err != nil {
		return nil, fmt.Errorf("issue intermediate certificate: %w", err)
	}
	leaf, err := issue(intermediate, details(leafSerial, intermediateSerial, server))
	if err != nil {
		return nil, fmt.Errorf("issue server certificate: %w", err)
	}
	chain, err := proto.Marshal(&waCert.CertChain{Leaf: leaf, Intermediate: middle})
	if err != nil {
		return nil, fmt.Errorf("encode certificate chain: %w", err)
	}
	return chain, nil
}

// issue signs the encoded details with XEdDSA, without any prefix.
func issue(signer *ecdh.PrivateKey, details *waCert.CertChain_NoiseCertificate_Details) (*waCert.CertChain_NoiseCertificate, error) {
	raw, err := proto.Marshal(details)
	if err != nil {
		return nil, fmt.Errorf("encode details: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey([keySize]byte(signer.Bytes())), raw)
	return &waCert.CertChain_NoiseCertificate{Details: raw, Signature: signature[:]}, nil
}

var errSignature = errors.New("signature does not verify")

// checkChain checks that the chain leads from the root to the server's key, as
// a client would. It does not look at the validity periods.
func checkChain(chain []byte, root, server [keySize]byte) error {
	var certs waCert.CertChain
	if err := proto.Unmarshal(chain, &certs); err != nil {
		return fmt.Errorf("decode certificate chain: %w", err)
	}
	intermediate, err := checkCertificate(certs.GetIntermediate(), root, rootSerial)
	if err != nil {
		return fmt.Errorf("intermediate certificate: %w", err)
	}
	leaf, err := checkCertificate(certs.GetLeaf(), [keySize]byte(intermediate.GetKey()), intermediate.GetSerial())
	if err != nil {
		return fmt.Errorf("server certificate: %w", err)
	}
	if [keySize]byte(leaf.GetKey()) != server {
		return errors.New("server certificate: is for another key")
	}
	return nil
}

func checkCertificate(cert *waCert.CertChain_NoiseCertificate, issuer [keySize]byte, serial uint32) (*waCert.CertChain_NoiseCertificate_Details, error) {
	if len(cert.GetSignature()) != 64 ||
		!ecc.VerifySignature(ecc.NewDjbECPublicKey(issuer), cert.GetDetails(), [64]byte(cert.GetSignature())) {
		return nil, errSignature
	}
	details := &waCert.CertChain_NoiseCertificate_Details{}
	if err := proto.Unmarshal(cert.GetDetails(), details); err != nil {
		return nil, fmt.Errorf("decode details: %w", err)
	}
	if details.GetIssuerSerial() != serial {
		return nil, fmt.Errorf("issued by serial %d, want %d", details.GetIssuerSerial(), serial)
	}
	if len(details.GetKey()) != keySize {
		return nil, fmt.Errorf("key of %d bytes", len(details.GetKey()))
	}
	return details, nil
}
