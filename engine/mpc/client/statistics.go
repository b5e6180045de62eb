package client

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// Quantity is a number of a result. Statistics are computed exactly and rounded once, to the nearest float64.
type Quantity struct {
	Group    string   `json:"group,omitempty"`
	Records  int64    `json:"records"`
	Patients int      `json:"patients"`
	Name     string   `json:"name"`
	Value    *float64 `json:"value"` // nil when there is none
	Unit     string   `json:"unit,omitempty"`
	Note     string   `json:"note,omitempty"` // why there is none
}

// Value is a single value that was retrieved.
type Value struct {
	Patient   string `json:"patient"`
	Time      string `json:"time"` // RFC 3339, UTC
	Attribute string `json:"attribute"`
	Value     string `json:"value"` // decimal number, exact
	Unit      string `json:"unit"`
}

// Retrieved are the values of get, in the order of patients and times.
func (a *Answer) Retrieved() []Value {
	var out []Value
	column := a.Head.Columns[0]
	for _, t := range a.Head.Times {
		for _, ms := range t.Times {
			out = append(out, Value{t.Patient, time.UnixMilli(ms).UTC().Format(time.RFC3339Nano), column.Name, slots.DecimalText(a.Values[len(out)], column.Decimals), column.Unit})
		}
	}
	return out
}

// Quantities are the numbers of a statistic, group after group.
func (a *Answer) Quantities() ([]Quantity, error) {
	var out []Quantity
	for g, m := range a.Moments {
		c := &calculation{group: a.Head.Groups[g], columns: a.Head.Columns, m: m}
		if a.Statistic != access.Mean && a.Statistic != access.Average {
			for i := range c.columns {
				if v, err := m.Covariance(i, i); err == nil && v.Sign() < 0 {
					return nil, errImpossible
				}
			}
		}
		switch a.Statistic {
		case access.Mean, access.Average:
			c.means()
		case access.Variance:
			c.means()
			for i, x := range c.columns {
				v, err := m.Covariance(i, i)
				c.add("variance of "+x.Name, unitOf(x, x), scaled(v, x, x), err)
				c.root("standard deviation of "+x.Name, x.Unit, scaled(v, x, x), err)
			}
		case access.Covariance, access.Correlation:
			c.pairs(a.Statistic)
		case access.Regression:
			c.regression()
		default:
			return nil, fmt.Errorf("%s has no numbers of its own", a.Statistic)
		}
		if c.err != nil {
			return nil, c.err
		}
		out = append(out, c.out...)
	}
	return out, nil
}

// calculation computes the numbers of a group.
type calculation struct {
	group   server.Group
	columns []server.Attribute
	m       *moments.Moments
	out     []Quantity
	err     error
}

// add notes an exact number, or why there is none. Any other error ends the calculation.
func (c *calculation) add(name, unit string, value *big.Rat, err error) {
	if err != nil {
		c.put(name, unit, 0, err)
		return
	}
	f, _ := value.Float64()
	c.put(name, unit, f, nil)
}

// errImpossible is that sums are not those of any readings.
var errImpossible = errors.New("no readings have these sums: a server does not follow the protocol, or a value is beyond its bound")

// root notes the square root of an exact number, which is not negative.
func (c *calculation) root(name, unit string, square *big.Rat, err error) {
	if err == nil && square.Sign() < 0 {
		err = errImpossible
	}
	if err != nil {
		c.put(name, unit, 0, err)
		return
	}
	c.put(name, unit, moments.Root(square), nil)
}

func (c *calculation) put(name, unit string, f float64, err error) {
	q := Quantity{Group: c.group.Label, Records: c.group.Records, Patients: c.group.Patients, Name: name, Unit: unit}
	var dependent *moments.DependentError
	switch {
	case err == nil:
		q.Value = &f
	case errors.As(err, &dependent):
		q.Note = fmt.Sprintf("%s is a linear function of the other attributes, or the same in all records", c.columns[dependent.Column].Name)
	case errors.Is(err, moments.ErrUndefined):
		q.Note = err.Error()
	default:
		c.err = err
	}
	c.out = append(c.out, q)
}

// scaled divides a number of the last decimals of attributes by their scales. It keeps nil.
func scaled(v *big.Rat, by ...server.Attribute) *big.Rat {
	if v == nil {
		return nil
	}
	out := new(big.Rat).Set(v)
	for _, a := range by {
		out.Quo(out, new(big.Rat).SetInt64(a.Scale()))
	}
	return out
}

// unitOf is the unit of a product.
func unitOf(x, y server.Attribute) string {
	switch {
	case x.Unit == "1":
		return y.Unit
	case y.Unit == "1":
		return x.Unit
	case x.Unit == y.Unit:
		return "(" + x.Unit + ")²"
	}
	return x.Unit + "·" + y.Unit
}

func (c *calculation) means() {
	for i, x := range c.columns {
		v, err := c.m.Mean(i)
		c.add("mean of "+x.Name, x.Unit, scaled(v, x), err)
	}
}

// pairs are the covariances or correlations of all pairs.
func (c *calculation) pairs(statistic string) {
	for i, x := range c.columns {
		for j := i + 1; j < len(c.columns); j++ {
			y := c.columns[j]
			if statistic == access.Covariance {
				v, err := c.m.Covariance(i, j)
				c.add(fmt.Sprintf("covariance of %s and %s", x.Name, y.Name), unitOf(x, y), scaled(v, x, y), err)
				continue
			}
			sign, square, err := c.m.Correlation(i, j)
			r := 0.0
			if err == nil && square.Cmp(big.NewRat(1, 1)) > 0 {
				err = errImpossible
			}
			if err == nil {
				r = float64(sign) * moments.Root(square)
			}
			c.put(fmt.Sprintf("correlation of %s and %s", x.Name, y.Name), "1", r, err)
		}
	}
}

// regression fits the first column to the others.
func (c *calculation) regression() {
	y := c.columns[0]
	var xs []int
	for i := range c.columns[1:] {
		xs = append(xs, i+1)
	}
	r, err := c.m.Regress(0, xs)
	if err != nil {
		c.add("regression of "+y.Name, y.Unit, nil, err)
		return
	}
	if r.R2 != nil && (r.R2.Sign() < 0 || r.R2.Cmp(big.NewRat(1, 1)) > 0) {
		c.err = errImpossible
		return
	}
	for k, coefficient := range r.Coefficients {
		name, unit, factor := "intercept", y.Unit, big.NewRat(1, y.Scale())
		if k > 0 {
			x := c.columns[k]
			name, unit = "slope of "+x.Name, y.Unit+"/"+x.Unit
			factor.Mul(factor, new(big.Rat).SetInt64(x.Scale()))
		}
		c.add(name, unit, new(big.Rat).Mul(coefficient, factor), nil)
		if r.Variances == nil {
			continue
		}
		c.root("standard error of the "+name, unit, new(big.Rat).Mul(r.Variances[k], factor.Mul(factor, factor)), nil)
	}
	if r.R2 != nil {
		c.add("R²", "1", r.R2, nil)
	}
}
