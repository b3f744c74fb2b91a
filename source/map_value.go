package source

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// goValue is what an expression sees of a valid JSON value: nil, bool, string,
// int64 for an integer that fits, else float64, []any or map[string]any. A
// number of a column with a type is just that type or an error.
func goValue(value []byte, kind valueKind) (any, error) {
	switch value[0] {
	case 'n':
		return nil, nil
	case 't', 'f':
		return value[0] == 't', nil
	case '"':
		return goString(value), nil
	case '{':
		object := map[string]any{}
		for i := 1; ; {
			m, next, ok := nextMember(value, i)
			if !ok {
				return object, nil
			}
			v, err := goValue(value[m.start:m.end], kindAny)
			if err != nil {
				return nil, err
			}
			object[goString(value[m.nameStart:m.nameEnd])] = v
			i = next
		}
	case '[':
		list := []any{}
		for i := skipSpace(value, 1); value[i] != ']'; {
			end := valueEnd(value, i)
			v, err := goValue(value[i:end], kindAny)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if i = skipSpace(value, end); value[i] == ',' {
				i = skipSpace(value, i+1)
			}
		}
		return list, nil
	}
	return goNumber(value, kind)
}

func goString(value []byte) string {
	var arena []byte
	return string(plainText(&arena, value))
}

func goNumber(value []byte, kind valueKind) (any, error) {
	if kind != kindNumber && isInteger(value) {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err == nil {
			return n, nil
		}
		if kind == kindInteger {
			return nil, fmt.Errorf("%s does not fit 64 bits, so no expression can use it", shortened(value))
		}
	}
	x, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return nil, fmt.Errorf("%s is too large for an expression", shortened(value))
	}
	return x, nil
}

// refusedType says why a value of type t has no form in JSON; "" if it has one.
// A duration is a number to Go, but its nanoseconds would surprise.
func refusedType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return ""
	case t == reflect.TypeFor[time.Duration]():
		return "a duration; call .Seconds() or .String() on it"
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Slice, reflect.Array, reflect.Map, reflect.Interface, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return ""
	}
	return fmt.Sprintf("a %s, which has no form in JSON", t)
}

// appendGo appends what an expression gave as JSON: integers exactly, floats in
// their shortest form, times as RFC 3339, maps with sorted keys. depth is how
// many containers may be opened. Its errors complete "the value is …".
func appendGo(dst []byte, value any, depth int) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendText(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v)
	case time.Time:
		if y := v.Year(); y < 0 || y > 9999 {
			return dst, fmt.Errorf("a time in the year %d, which RFC 3339 does not have", y)
		}
		return append(v.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"'), nil
	}
	v := reflect.ValueOf(value)
	if msg := refusedType(v.Type()); msg != "" {
		return dst, fmt.Errorf("%s", msg)
	}
	switch {
	case v.CanInt():
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case v.CanFloat():
		return appendFloat(dst, v.Float())
	case v.Kind() == reflect.String:
		return appendText(dst, v.String())
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case depth == 0:
		return dst, fmt.Errorf("nested over %d levels", maxDepth)
	case v.Kind() == reflect.Map:
		return appendMap(dst, v, depth-1)
	}
	return appendList(dst, v, depth-1)
}

func appendFloat(dst []byte, x float64) ([]byte, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return dst, fmt.Errorf("%v, a number that JSON does not have", x)
	}
	return append(dst, jsontext.Float(x).String()...), nil
}

func appendText(dst []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return dst, fmt.Errorf("text that is not UTF-8")
	}
	return append(appendEscaped(append(dst, '"'), []byte(text)), '"'), nil
}

func appendList(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendGo(dst, v.Index(i).Interface(), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendMap(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	values := map[string]any{}
	var keys []string
	for each := v.MapRange(); each.Next(); {
		key, ok := each.Key().Interface().(string)
		if !ok {
			return dst, fmt.Errorf("a map whose keys are not text")
		}
		keys = append(keys, key)
		values[key] = each.Value().Interface()
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendText(dst, key); err != nil {
			return dst, err
		}
		if dst, err = appendGo(append(dst, ':'), values[key], depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
