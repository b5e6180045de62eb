package receipt

import (
	"encoding/json"
	"errors"
)

// MarshalJSON writes one value as a string and any other number of them as a list.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return encodeJSON(v[0])
	}
	if v == nil {
		return []byte("[]"), nil
	}
	return encodeJSON([]string(v))
}

// UnmarshalJSON reads a string or a list of strings.
func (v *Values) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*v = Values{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil || list == nil {
		return errors.New("the value of a parameter is neither a string nor a list of strings")
	}
	*v = list
	return nil
}
