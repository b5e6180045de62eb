package job

// PrivacyReport says which noise an output carries, what it promises, and what it costs in accuracy.
type PrivacyReport struct {
	Place     string `json:"place"`
	Mechanism string `json:"mechanism"`
	Guarantee string `json:"guarantee"` // for people
	// The promise in numbers: (ε, δ), δ = 0 where it is pure, and ρ of zero-concentrated differential privacy.
	Epsilon float64 `json:"epsilon"`
	Delta   float64 `json:"delta"`
	Rho     float64 `json:"rho"`
	Records int64   `json:"person_records"` // for whom: a person in at most so many records
	Counts  string  `json:"counts"`
	Owners  int64   `json:"owners,omitempty"` // of shares: holds if Honest of the owners added theirs
	Honest  int64   `json:"honest,omitempty"`
	Quiet   int64   `json:"tables_without_share,omitempty"`

	Columns []NoisyColumn `json:"columns"`
	Public  []string      `json:"public,omitempty"` // columns without noise, stated to be no secret
	Budget  *BudgetState  `json:"budget,omitempty"`
}

// NoisyColumn is the accuracy of one number of every record.
type NoisyColumn struct {
	Name      string  `json:"name"`
	Parameter float64 `json:"parameter"`  // scale or σ of one term, in units of the values
	Terms     int64   `json:"terms"`      // of noise in a number, at most
	MeanError float64 `json:"mean_error"` // theoretical mean |error| of a number with so many terms, in units of the values
	// AtLeast says that there are more terms: groups with a share each were added up further.
	AtLeast bool `json:"at_least,omitempty"`
}

// BudgetState is a budget at a glance.
type BudgetState struct {
	File     string  `json:"file"`
	About    string  `json:"about,omitempty"`
	Limit    string  `json:"limit"`
	Releases int     `json:"releases"`
	Rho      string  `json:"spent_rho"`
	Epsilon  string  `json:"spent_epsilon,omitempty"` // where all releases were pure
	Used     string  `json:"used"`                    // in the terms of the limit
	Share    float64 `json:"share"`                   // of the limit that is spent, 0 to 1
	// At δ, by the optimal conversion and by ρ + 2√(ρ·ln(1/δ)).
	Delta         float64 `json:"delta"`
	EpsilonAt     float64 `json:"epsilon_at_delta"`
	EpsilonClosed float64 `json:"epsilon_closed_form"`
}
