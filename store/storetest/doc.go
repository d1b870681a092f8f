// Package storetest checks that a store keeps the promises of package store: one
// case for each sentence of the contract.
//
// A store of your own needs one test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			s, err := mystore.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { s.Close() })
//			return s
//		})
//	}
//
// Run it with -race. A case that fails ends with the sentence it is about.
package storetest
