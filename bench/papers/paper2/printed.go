package paper2

import "github.com/cipherfold/cipherfold/bench"

// printedRow is a row of TABLE 1, as printed, with what is wrong about it.
type printedRow struct {
	row                                   string
	serverWork, serverTraffic, serverTime string
	userWork, userTraffic, userTime       string
	errata                                string
}

// printedRecords is the n of the printed times.
const printedRecords = 10_000

var printedTable = []printedRow{
	{bench.RowAccess, "2 Exp.", "2 |N|", "2.68 ms", "1 Exp.", "2 |N|", "1.34 ms", "2 |N| is what a server sends; sent and received it is 10/3 |N| on average."},
	{bench.RowAverage, "2 Exp.", "2 |N|", "2.68 ms", "1 Exp.", "2 |N|", "1.34 ms", "2 |N| is what a server sends; sent and received it is 10/3 |N| on average."},
	{bench.RowCorrelation1, "(12n + 4) Exp.", "(24n + 4) |N|", "2.68 m", "5 Exp.", "10 |N|", "6.7 ms", "The user with one server opens every value."},
	{bench.RowVariance1, "(4n + 2) Exp.", "(8n + 2) |N|", "0.89 m", "2 Exp.", "4 |N|", "2.68 ms", "The printed formula is s² - x̄², negative where |x̄| > s; its root is no variance."},
	{bench.RowRegression1, "(8n + 4) Exp.", "(16n + 2) |N|", "1.79 m", "4 exp.", "8 |N|", "2.68 ms", "The text has (16n + 4) |N|; the user's work is 4 Exp., 5.36 ms."},
	{bench.RowCorrelation2, "24n exp. + 4 Exp.", "(60n + 4) |N|", "2.68 m", "3 exp. + 2 Exp.", "16 |N|", "4.69 ms", "BROKEN: public values open everything. A record takes 7 exp. for each product and server, not 8, and 16 |N|, not 20 |N|."},
	{bench.RowVariance2, "8n exp. + 2 Exp.", "(20n + 2) |N|", "0.89 m", "1 exp. + 1 Exp.", "6 |N|", "2.01 ms", "BROKEN: public values open everything. 7n exp. and 16n |N|; and no variance, as above."},
	{bench.RowRegression2, "16n exp. + 4 Exp.", "(40n + 4) |N|", "1.79 m", "2 exp. + 2 Exp.", "12 |N|", "4.02 ms", "BROKEN: public values open everything. 14n exp. and 32n |N|."},
}
