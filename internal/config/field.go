package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// envPrefix begins every environment variable that is ours.
const envPrefix = "MUSTER_"

// field is one key of the configuration, bound to a Config.
type field struct {
	key   string // "sandbox.listen"
	doc   string
	value reflect.Value
}

// env is the field's environment variable: sandbox.listen is MUSTER_SANDBOX_LISTEN.
func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
}

// fields lists every key of the configuration in the order of the struct.
func fields(c *Config) []field { return walk(reflect.ValueOf(c).Elem(), "") }

func walk(section reflect.Value, prefix string) []field {
	var all []field
	for i := range section.NumField() {
		tag := section.Type().Field(i).Tag
		key := prefix + tag.Get("key")
		if value := section.Field(i); value.Kind() == reflect.Struct {
			all = append(all, walk(value, key+".")...)
		} else {
			all = append(all, field{key: key, doc: tag.Get("doc"), value: value})
		}
	}
	return all
}

// set reads the text into the field. The error says what was expected, and
// not which key: the caller knows how the user spelled it.
func (f field) set(text string) error {
	switch target := f.value.Addr().Interface().(type) {
	case *string:
		*target = text
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		*target = v
	case *int:
		v, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*target = v
	case *float64:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is not a number such as 5 or 0.5", text)
		}
		*target = v
	case *time.Duration:
		v, err := time.ParseDuration(text)
		if err != nil || v < 0 {
			return fmt.Errorf(`%q is not a duration such as "30s" or "2m"`, text)
		}
		*target = v
	case *Size:
		v, err := ParseSize(text)
		if err != nil {
			return err
		}
		*target = v
	default:
		return fmt.Errorf("the type %T cannot be configured", target)
	}
	return nil
}

// text is the field's value as set reads it.
func (f field) text() string {
	switch value := f.value.Interface().(type) {
	case time.Duration:
		return shortDuration(value)
	default:
		return fmt.Sprint(value)
	}
}

// shortDuration writes 2m for what time.Duration writes as 2m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
