"""Server processes on this machine: started, waited for, ended with whoever started them."""
