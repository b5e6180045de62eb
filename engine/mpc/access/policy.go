package access

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// Policy is the rules of one server, in Cedar: what is not permitted is refused.
type Policy struct {
	set      *cedar.PolicySet
	entities cedar.EntityMap
}

// ReadPolicy reads a file of Cedar policies and, if named, a JSON file of Cedar entities.
func ReadPolicy(policies, entities string) (*Policy, error) {
	text, err := os.ReadFile(policies)
	if err != nil {
		return nil, err
	}
	p := &Policy{entities: cedar.EntityMap{}}
	if p.set, err = cedar.NewPolicySetFromBytes(policies, text); err != nil {
		return nil, fmt.Errorf("%s: %w", policies, err)
	}
	if entities == "" {
		return p, nil
	}
	if text, err = os.ReadFile(entities); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &p.entities); err != nil {
		return nil, fmt.Errorf("%s: %w", entities, err)
	}
	return p, nil
}

// Extent is what policies know of a query besides its text.
type Extent struct {
	Records  int64 // in all groups
	Patients int
	Smallest int // patients of the smallest group
}

// Permit says whether a query is permitted. Each attribute is decided on its own:
//
//	principal  User::"NAME", in Role::"ROLE"
//	action     Action::"STATISTIC"
//	resource   Attribute::"NAME"
//	context    attributes and patients (sets of texts), allPatients (bool), groupBy (text), records, cohort and
//	           smallestGroup (numbers), from and until (milliseconds, where the query has them)
//
// Users have the attributes that the file of entities gives them.
func (p *Policy) Permit(a *Asked, e Extent) error {
	user, role := cedar.NewEntityUID("User", cedar.String(a.Who.Name)), cedar.NewEntityUID("Role", cedar.String(a.Who.Role))
	entities := p.entities.Clone()
	principal := entities[user]
	principal.UID = user
	parents := []cedar.EntityUID{role}
	for parent := range principal.Parents.All() {
		parents = append(parents, parent)
	}
	principal.Parents = cedar.NewEntityUIDSet(parents...)
	entities[user] = principal
	texts := func(list []string) cedar.Set {
		var values []cedar.Value
		for _, s := range list {
			values = append(values, cedar.String(s))
		}
		return cedar.NewSet(values...)
	}
	context := cedar.RecordMap{
		"attributes": texts(a.Attributes), "patients": texts(a.Patients), "allPatients": cedar.Boolean(len(a.Patients) == 0), "groupBy": cedar.String(a.GroupBy),
		"records": cedar.Long(e.Records), "cohort": cedar.Long(e.Patients), "smallestGroup": cedar.Long(e.Smallest),
	}
	if a.From != nil {
		context["from"] = cedar.Long(*a.From)
	}
	if a.Until != nil {
		context["until"] = cedar.Long(*a.Until)
	}
	for _, attribute := range a.Attributes {
		decision, diagnostic := cedar.Authorize(p.set, entities, cedar.Request{Principal: user, Action: cedar.NewEntityUID("Action", cedar.String(a.Statistic)),
			Resource: cedar.NewEntityUID("Attribute", cedar.String(attribute)), Context: cedar.NewRecord(context)})
		if decision == cedar.Allow {
			continue
		}
		var why []string
		for _, r := range diagnostic.Reasons {
			why = append(why, string(r.PolicyID))
		}
		for _, e := range diagnostic.Errors {
			why = append(why, fmt.Sprintf("%s: %s", e.PolicyID, e.Message))
		}
		if len(why) == 0 {
			return fmt.Errorf("the policy does not permit %s to ask for %s of %s", a.Who, a.Statistic, attribute)
		}
		return fmt.Errorf("the policy forbids %s to ask for %s of %s (%s)", a.Who, a.Statistic, attribute, strings.Join(why, ", "))
	}
	return nil
}
