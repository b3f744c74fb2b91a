package source

import "slices"

// Advice says which option may make sense of records that are bad for a reason,
// for a person to judge; "" if none is likely to.
func (f *File) Advice(reason string) string {
	switch reason {
	case ReasonInvalidUTF8:
		return `the text may be in another encoding: set encoding, such as "windows-1252", or invalid_utf8 = "replace"`
	case ReasonBareQuote, ReasonTextAfterQuote, ReasonUnclosedQuote:
		return `if quotes mean nothing in this file, set quote = "none"`
	case ReasonRagged:
		return `if lines before the header are to be left out, set skip_lines; ragged = "pad" takes records that are short of fields`
	case ReasonWrongType:
		if f.Format == FormatCSV && !slices.Contains(f.dialect.NullValues, "") {
			return `if empty fields are meant, null_values = [""] makes them null`
		}
	case ReasonExpression:
		if f.Format != FormatCSV {
			return `if a member may be missing, write user?.id for user.id`
		}
	case ReasonInvalidJSON, ReasonNotAnObject, ReasonTrailingData:
		if f.Format == FormatNDJSON {
			return `if records go over several lines or stand in an array, set format = "json"`
		}
	}
	return ""
}
