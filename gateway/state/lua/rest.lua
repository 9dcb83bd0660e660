-- A key, a model or the provider rests by hand. ARGV: 4 the field, 5 the order.
advance(ARGV[4], order_of(ARGV[5]), math.huge, '', false)
save_rests()
return 1
