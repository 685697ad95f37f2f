package session

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// clientLog is whatsmeow's logger. What whatsmeow logs may hold whole stanzas
// on every level ("Node handling took 6s for <message …>"), and with them
// message texts, keys and pairing codes. Here a stanza is only named, bytes are
// only counted, and texts are cut where a stanza begins. Debug lines are
// dropped: they are stanzas and frames in full. But whatsmeow logs every stanza
// once, as the only thing that the loggers Recv and Send are for, so that is
// where they are counted, and where the run gets to know of them.
type clientLog struct {
	log     zerolog.Logger
	module  string
	traffic traffic            // the zero value counts nothing
	stanzas prometheus.Counter // of Recv and Send
	// came and went are told of each stanza; nil is nobody. seen is the one of
	// them that is told of those that this logger gets.
	came, went, seen func(*waBinary.Node)
}

var _ waLog.Logger = clientLog{}

func (l clientLog) Debugf(_ string, args ...any) {
	if l.stanzas != nil {
		l.stanzas.Inc()
	}
	if l.seen == nil || len(args) != 1 {
		return
	}
	if node, ok := args[0].(*waBinary.Node); ok {
		l.seen(node)
	}
}

func (l clientLog) Infof(format string, args ...any) {
	l.log.Info().Msg(worded(format, args))
}

func (l clientLog) Warnf(format string, args ...any) {
	l.log.Warn().Msg(worded(format, args))
}

func (l clientLog) Errorf(format string, args ...any) {
	l.log.Error().Msg(worded(format, args))
}

func (l clientLog) Sub(module string) waLog.Logger {
	sub := clientLog{module: module, traffic: l.traffic, came: l.came, went: l.went}
	switch module {
	case "Recv":
		sub.stanzas, sub.seen = l.traffic.in, l.came
	case "Send":
		sub.stanzas, sub.seen = l.traffic.out, l.went
	}
	if l.module != "" {
		sub.module = l.module + "/" + module
	}
	sub.log = l.log.With().Str("sublogger", sub.module).Logger()
	return sub
}

func worded(format string, args []any) string {
	harmless := make([]any, len(args))
	for i, arg := range args {
		harmless[i] = harmlessly(arg)
	}
	return fmt.Sprintf(format, harmless...)
}

// harmlessly is an argument without what must not be logged. Of types that are
// not known to be harmless only the name is left.
func harmlessly(arg any) any {
	switch arg := arg.(type) {
	case nil, types.JID, time.Time:
		return arg
	case *types.JID:
		return arg
	case *waBinary.Node:
		return stanzaName(arg)
	case waBinary.Node:
		return stanzaName(&arg)
	case []byte:
		// whatsmeow adds the stack when it has recovered from a panic.
		if bytes.HasPrefix(arg, []byte("goroutine ")) {
			return string(arg)
		}
		return fmt.Sprintf("(%d bytes)", len(arg))
	case error:
		return withoutStanza(arg.Error())
	}
	switch value := reflect.ValueOf(arg); value.Kind() {
	case reflect.String:
		if text, ok := arg.(fmt.Stringer); ok {
			return withoutStanza(text.String())
		}
		return withoutStanza(value.String())
	case reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return arg
	default:
		return fmt.Sprintf("(%T)", arg)
	}
}

// stanzaName names a stanza by what identifies it.
func stanzaName(node *waBinary.Node) string {
	if node == nil {
		return "(no stanza)"
	}
	name := "(" + withoutStanza(node.Tag)
	for _, attribute := range []string{"id", "type", "xmlns", "code", "reason"} {
		if value, ok := node.Attrs[attribute].(string); ok {
			name += " " + attribute + "=" + withoutStanza(value)
		}
	}
	return name + ")"
}

// longestText bounds a text in the log, in bytes.
const longestText = 300

var stanzaBegin = regexp.MustCompile(`<[A-Za-z]`)

// withoutStanza cuts a text where a stanza begins, as in the error of an answer
// that whatsmeow does not understand, and where it is too long for a message.
func withoutStanza(text string) string {
	if begin := stanzaBegin.FindStringIndex(text); begin != nil {
		text = text[:begin[0]] + "(stanza left out)"
	}
	if len(text) > longestText {
		return text[:longestText] + "…"
	}
	return text
}

// discreet is an error whose text holds no stanza.
func discreet(err error) error {
	if err == nil || !stanzaBegin.MatchString(err.Error()) {
		return err
	}
	return discreetError{err}
}

type discreetError struct{ error }

func (e discreetError) Error() string { return withoutStanza(e.error.Error()) }
func (e discreetError) Unwrap() error { return e.error }

// quiet is the logger that whatsmeow takes from a context, with fields of its
// own; below info it writes more than anyone wants to read.
func quiet(log zerolog.Logger) zerolog.Logger {
	return log.Level(max(log.GetLevel(), zerolog.InfoLevel))
}
