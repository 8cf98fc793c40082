import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** A method that is a case of its class. */
@Retention(RetentionPolicy.RUNTIME)
@interface Case {}
