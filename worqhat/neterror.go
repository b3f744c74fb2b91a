package worqhat

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// brokenBeforeEnd names why a body did not go out as a whole. It chooses a word
// for people and logs; that it is "not sent" was proved before.
func brokenBeforeEnd(o Observation) Reason {
	switch {
	case o.Interrupted:
		return ReasonInterrupted
	case isCertificate(o.Err):
		return ReasonCertificate
	case o.Connected && !o.TimedOut:
		return ReasonResetInBody
	case o.TimedOut:
		return ReasonTimeout
	}
	var (
		dns    *net.DNSError
		netErr net.Error
	)
	switch {
	case errors.As(o.Err, &dns):
		return ReasonDNS
	case errors.Is(o.Err, syscall.ECONNREFUSED):
		return ReasonRefusedConn
	case errors.Is(o.Err, syscall.EHOSTUNREACH), errors.Is(o.Err, syscall.ENETUNREACH), errors.Is(o.Err, syscall.ENETDOWN):
		return ReasonUnreachable
	case o.TLSFailed, errors.Is(o.Err, http.ErrSchemeMismatch):
		return ReasonTLS
	case errors.As(o.Err, &netErr) && netErr.Timeout():
		return ReasonTimeout
	}
	return ReasonConnection
}

// brokenAfterBody names how the answer to a whole body was lost.
func brokenAfterBody(o Observation) Reason {
	switch {
	case o.Interrupted:
		return ReasonInterrupted
	case o.TimedOut:
		return ReasonTimeout
	case errors.Is(o.Err, syscall.ECONNRESET), errors.Is(o.Err, syscall.EPIPE), errors.Is(o.Err, syscall.ECONNABORTED):
		return ReasonResetAfterBody
	case errors.Is(o.Err, io.EOF), errors.Is(o.Err, io.ErrUnexpectedEOF):
		return ReasonEOFAfterBody
	}
	return ReasonBrokenAfterBody
}

// isCertificate says that the server showed a certificate that is not trusted:
// somebody else may be answering, and no retry will change that.
func isCertificate(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		roots     x509.SystemRootsError
	)
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &roots)
}
